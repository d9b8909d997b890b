"""Whether a rule is about a command: kind, state, band, account and size; time plays no part."""

from __future__ import annotations

from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from monitor.exact import ZERO
from monitor.schema import Command, EpisodeNotice, OrderCancel, Reduction, WarningCommand
from monitor.schema.alerts import STATES, AccountGroup, AlertRule

__all__ = [
    "UNKNOWN",
    "Facts",
    "Verdict",
    "asks_for_facts",
    "is_good_news",
    "notional",
    "recovers",
    "severity",
    "state_of",
    "subject_of",
    "verdict",
]

Verdict = Literal["about", "not_about", "unknown_main_account"]


class Facts(NamedTuple):
    """What is known of an account besides its command; None: unknown."""

    main_account_id: str | None = None
    position_value: Decimal | None = None
    """USD."""


UNKNOWN = Facts()


def subject_of(command: Command) -> str:
    """Return the account, or the isolated position of it that has an episode of its own."""
    if command.position is None:
        return command.account_id
    return f"{command.account_id}/{command.position}"


def state_of(command: Command) -> str:
    """Return a warning's or episode's state, a cancel's reason, a reduction's phase."""
    match command:
        case WarningCommand() | EpisodeNotice():
            return command.state
        case OrderCancel():
            return command.reason
        case Reduction():
            return command.phase
    raise TypeError(f"{command.kind}: no command that people are told of")


def recovers(command: Command) -> Literal["warning", "episode"] | None:
    """Return what a command ends: the warning (`cleared`), or the episode with all its kinds."""
    match command:
        case WarningCommand(state="cleared"):
            return "warning"
        case EpisodeNotice(state="closed"):
            return "episode"
    return None


def is_good_news(command: Command) -> bool:
    """Whether the command says that things are better; then being worse is not asked for."""
    return state_of(command) in ("cleared", "closed", "cancel_sufficient")


def severity(command: Command) -> int:
    """Return how grave a state is among those of its kind: a graver one is always worse."""
    return _SEVERITY.get(state_of(command), 0)


_SEVERITY = {"stuck": 1, "bankrupt": 2, "takeover": 1, "ES-4": 1}


def notional(command: Command, facts: Facts) -> Decimal | None:
    """Return the USD at stake: what a reduction trades, else the account's position value.

    None where it is unknown, as for an isolated position outside a reduction.
    """
    if isinstance(command, Reduction):
        return sum((action.notional_usd for action in command.actions), ZERO)
    return facts.position_value if command.position is None else None


def asks_for_facts(rule: AlertRule, command: Command) -> bool:
    """Whether the answer hangs on more than the command itself."""
    if not _named(rule, command):
        return False
    if not rule.accounts.everyone and not _listed(rule.accounts, command.account_id):
        return bool(rule.accounts.main_accounts)
    return (
        rule.minimum_notional_usd is not None
        and not isinstance(command, Reduction)
        and command.position is None
    )


def verdict(rule: AlertRule, command: Command, facts: Facts) -> Verdict:
    """Say whether the rule is about the command. Bands and sizes do not limit good news.

    An unknown size passes: rather told once too often. An unknown main account does not, since
    the channel may belong to somebody else; it is an answer of its own, to be counted.
    """
    if not _named(rule, command):
        return "not_about"
    if not is_good_news(command) and not _large_enough(rule, command, facts):
        return "not_about"
    group, account_id = rule.accounts, command.account_id
    if group.everyone or _listed(group, account_id):
        return "about"
    if not group.main_accounts:
        return "not_about"
    if facts.main_account_id is None:
        return "unknown_main_account"
    return "about" if facts.main_account_id in group.main_accounts else "not_about"


def _named(rule: AlertRule, command: Command) -> bool:
    kind = command.kind
    if not rule.enabled or kind not in rule.kinds:
        return False
    states = STATES[kind].intersection(rule.states)
    if states and state_of(command) not in states:
        return False
    return not rule.bands or command.band in rule.bands or is_good_news(command)


def _listed(group: AccountGroup, account_id: str) -> bool:
    return (
        account_id in group.ids
        or account_id in group.main_accounts
        or any(fnmatchcase(account_id, pattern) for pattern in group.globs)
    )


def _large_enough(rule: AlertRule, command: Command, facts: Facts) -> bool:
    if rule.minimum_notional_usd is None:
        return True
    size = notional(command, facts)
    return size is None or size >= rule.minimum_notional_usd
