"""What goes out for one assessment: of an account, and of each of its isolated positions."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.account.state import Account
from monitor.escalation.context import Context
from monitor.escalation.episode import Episode
from monitor.escalation.messages import scaled_ms
from monitor.escalation.subject import account_subject, gone_subject, isolated_subject
from monitor.escalation.turn import Turn
from monitor.margin import Figures
from monitor.schema.commands import Command

__all__ = ["decide", "decide_isolated"]


def decide(account: Account, episode: Episode, figures: Figures, context: Context) -> list[Command]:
    """Return the commands that follow for the account, in order, and move `episode` on.

    Pure but for `episode`: the same input gives the same bytes (ES-8, H-1). An account that is
    unknown or unpriced gets nothing (PX-3).
    """
    if not _decidable(account, figures):
        _put_off([episode], context)
        return []
    return Turn(account_subject(account, figures, context), episode, context).run()


def decide_isolated(
    account: Account, episodes: dict[str, Episode], figures: Figures, context: Context
) -> list[Command]:
    """MR-3: return the commands of the isolated positions, in order of keys; move `episodes` on.

    `episodes`: key → episode; it gains those that open. The record of a closed one stays, so that
    its counter never runs back (ES-2).
    """
    if not _decidable(account, figures):
        _put_off(episodes.values(), context)
        return []
    found: list[Command] = []
    for key in sorted({*figures.isolated, *episodes}):
        episode = episodes.get(key)
        fresh = episode is None
        if episode is None:
            episode = Episode()
        own = figures.isolated.get(key)
        if own is None:
            found += Turn(gone_subject(account, key), episode, context).end()
        else:
            found += Turn(isolated_subject(account, figures, own, context), episode, context).run()
        if fresh and episode.open:
            episodes[key] = episode
    return found


def _decidable(account: Account, figures: Figures) -> bool:
    """PX-3: nothing is decided on an account that is unknown or unpriced."""
    return account.known and not figures.unpriced


def _put_off(episodes: Iterable[Episode], context: Context) -> None:
    """Put deadlines off that cannot be met, so that they are not met over and over."""
    policy = context.reference.policy
    until = context.now + scaled_ms(policy.confirm_seconds, policy.time_scale)
    for episode in episodes:
        if episode.open:
            episode.not_before = until
