"""A rule in one sentence, for `liqmon alerts check`."""

from __future__ import annotations

from monitor.exact import plain
from monitor.schema.alerts import AccountGroup, AlertRule

__all__ = ["sentence"]


def sentence(rule: AlertRule) -> str:
    """Return what a rule does in plain words."""
    parts = [f"tells {_and(rule.channels)} of {_and(rule.kinds)}"]
    if rule.states:
        parts.append(f"in the states {_and(rule.states)}")
    if rule.bands:
        parts.append(f"in the bands {_and(rule.bands)}")
    parts.append(f"for {_group(rule.accounts)}")
    if rule.minimum_notional_usd is not None:
        parts.append(f"from {plain(rule.minimum_notional_usd)} USD on")
    text = " ".join(parts)
    match rule.repeat.when:
        case "worse":
            text += f"; again when the ratio has fallen by {plain(rule.repeat.step * 100)} %"
        case "always":
            text += "; each time"
        case "never":
            text += "; once an episode"
    for one in rule.quiet:
        days = "" if len(one.days) == 7 else f" from {_and(one.days)}"
        text += f"; quiet {one.start} to {one.end} {one.timezone}{days}"
    text += (
        f"; one digest for more than {rule.digest.more_than} accounts "
        f"in {rule.digest.within_seconds} s"
    )
    return text if rule.enabled else f"(switched off) {text}"


def _group(group: AccountGroup) -> str:
    if group.everyone:
        return "every account"
    parts = []
    if group.ids:
        parts.append(f"{_and(group.ids)}")
    if group.globs:
        parts.append(f"accounts like {_and(group.globs)}")
    if group.main_accounts:
        parts.append(f"main accounts {_and(group.main_accounts)} and their sub-accounts")
    return ", ".join(parts)


def _and(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
