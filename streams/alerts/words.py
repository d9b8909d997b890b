"""What people read: each alert in plain words, and many of them in one message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal
from urllib.parse import quote

from monitor.exact import plain
from monitor.schema import Action, Command, EpisodeNotice, OrderCancel, Reduction, WarningCommand
from streams.alerts.gathering import Digest
from streams.alerts.matching import is_good_news, state_of
from streams.alerts.watcher import Alert
from streams.display import down, percent, up

__all__ = ["Text", "Tone", "account_link", "describe_alert", "describe_digest"]

Tone = Literal["info", "success", "warning", "failure"]
"""Colour or icon, in the channel's own way."""

_NAMED_ACTIONS = 5
_NAMED_ORDERS = 5
_LATE_MS = 60_000

_CANCELLED_FOR = {
    "OC-1": "adjusted equity no longer covers the margin of what is open",
    "OC-2": "a coin without auto-borrow is short of what its orders would take",
    "OC-3": "a borrow limit is exceeded",
    "IN-5": "funding left a coin short of what its orders would take",
    "ES-4": "the account is in liquidation, and cancels come before any reduction",
}
_STEPS = {
    "same_coin_repayment": "repay a debt from the balance of the same coin",
    "tier": "go down a tier",
    "full": "close all of it",
    "opposite": "net opposite positions",
    "delta_neutral": "take both legs off a hedged pair",
    "unhedged": "reduce an unhedged leg",
    "basis": "take both legs off a basis pair",
    "takeover": "take the positions over at their bankruptcy prices",
    "auto_exchange": "sell other assets for a coin that is owed",
}
_EPISODES = {
    "opened": "an episode has opened",
    "cancel_sufficient": "cancelling orders was enough, no position is touched",
    "stuck": "STUCK: commands were sent and not carried out",
    "bankrupt": "BANKRUPT",
    "closed": "the episode is closed, the account is out of danger",
}
_DIGEST_WORDS = {
    ("warning", "entered"): "entered the warning band",
    ("warning", "worsened"): "got worse within the warning band",
    ("warning", "cleared"): "left the warning band",
    ("episode", "opened"): "episodes opened",
    ("episode", "cancel_sufficient"): "saved by cancelling orders",
    ("episode", "stuck"): "stuck, commands are not carried out",
    ("episode", "bankrupt"): "bankrupt",
    ("episode", "closed"): "out of danger again",
    ("reduction", "takeover"): "taken over",
}


@dataclass(frozen=True, slots=True)
class Text:
    """One message."""

    title: str
    body: str
    tone: Tone


def account_link(page_url: str, account_id: str) -> str:
    """Return the address of an account on the page."""
    return f"{page_url.rstrip('/')}/#/account/{quote(account_id, safe='')}"


def describe_alert(alert: Alert, page_url: str, now: int) -> Text:
    """Return who, at which ratio, what was decided and why, and where to look."""
    command = alert.command
    about = command.account_id
    if command.position is not None:
        about = f"{about}, isolated {command.position.partition('/isolated/')[0]}"
    said = _said(command)
    lines = [
        f"{about}: {said}.",
        f"Ratio {percent(command.ratio)}: {_equity(command)}",
        f"Why: {_cause(command)}",
        *_decided(command),
    ]
    if command.stale_prices:
        lines.append(f"Stale prices: {', '.join(command.stale_prices)}.")
    if command.attempt > 1:
        lines.append(f"Sent again, attempt {command.attempt}.")
    if alert.held or now - alert.at >= _LATE_MS or now - command.decided_at >= _LATE_MS:
        held = " (held over quiet hours)" if alert.held else ""
        lines.append(f"Decided {_when(command.decided_at)}{held}.")
    lines.append(account_link(page_url, command.account_id))
    return Text(f"{about} at {percent(command.ratio)}: {said}", "\n".join(lines), _tone(command))


def describe_digest(digest: Digest, page_url: str, now: int) -> Text:
    """Return counts, total shortfall and the worst accounts of a digest."""
    count = len(digest.accounts)
    seconds = max(1, round((now - digest.began) / 1000))
    during = "over quiet hours" if digest.held else f"within {seconds} s"
    title = f"{count} accounts {during}: {_headline(digest)}"
    lines = [f"{number:,} {_of_state(what)}" for what, number in digest.counts.most_common()]
    if digest.reduced_usd:
        lines.append(f"Reductions commanded: {up(digest.reduced_usd)} USD")
    if digest.shortfall_usd:
        lines.append(f"Total shortfall: {up(digest.shortfall_usd)} USD")
    worst = digest.worst
    if worst:
        lines.append("Worst:")
        lines += [_worst_line(alert, page_url) for alert in worst]
    lines.append(f"Rule {digest.rule_id}. {page_url}")
    return Text(title, "\n".join(lines), _digest_tone(digest))


def _said(command: Command) -> str:
    match command:
        case WarningCommand(state="entered"):
            return f"entered the warning band (at or below {_level(command.level)})"
        case WarningCommand(state="worsened"):
            return f"got worse, now at or below {_level(command.level)}"
        case WarningCommand():
            return f"left the warning band (above {_level(command.level)})"
        case OrderCancel():
            number = len(command.order_ids)
            return f"{number} order{'' if number == 1 else 's'} to be cancelled"
        case Reduction(phase="auto_exchange"):
            return "forced conversion of assets for an owed coin"
        case Reduction(phase="takeover"):
            return f"TAKEOVER, step {command.step}"
        case Reduction():
            return f"reduction, step {command.step}"
        case EpisodeNotice(shortfall=None):
            return _EPISODES[command.state]
        case EpisodeNotice():
            return f"{_EPISODES[command.state]}, shortfall {up(command.shortfall)} USD"
    raise TypeError(f"{command.kind}: no command that people are told of")


def _decided(command: Command) -> list[str]:
    """Return what is to be done about it, and why in that way."""
    match command:
        case OrderCancel():
            named = ", ".join(command.order_ids[:_NAMED_ORDERS])
            more = len(command.order_ids) - _NAMED_ORDERS
            rest = f" and {more} more" if more > 0 else ""
            reason = _CANCELLED_FOR[command.reason]
            return [f"Decided: cancel {named}{rest}, because {reason} ({command.reason})."]
        case Reduction():
            lines = [f"Decided: {_STEPS[command.phase]} ({', '.join(command.rules)}):"]
            lines += [f"– {_action(action)}" for action in command.actions[:_NAMED_ACTIONS]]
            more = len(command.actions) - _NAMED_ACTIONS
            if more > 0:
                lines.append(f"– and {more} more")
            lines.append(f"Expected ratio after it: {percent(command.expected_ratio)}.")
            return lines
    return []


def _action(action: Action) -> str:
    side = f" {action.side}" if action.side and action.action not in ("buy", "sell") else ""
    what = action.instrument or action.currency or ""
    text = f"{action.action}{side} {plain(action.quantity)} {what} ({up(action.notional_usd)} USD"
    if action.from_tier is not None and action.to_tier is not None:
        text += f", tier {action.from_tier} to {action.to_tier}"
    if action.bankruptcy_price is not None:
        text += f", bankruptcy price {plain(action.bankruptcy_price)}"
    return f"{text}){f': {action.why}' if action.why else ''}"


def _equity(command: Command) -> str:
    needed = command.maintenance_margin + command.liquidation_fee
    return (
        f"adjusted equity {down(command.adjusted_equity)} USD against {up(needed)} USD "
        f"of maintenance margin and liquidation fee."
    )


def _cause(command: Command) -> str:
    cause = command.cause
    if cause.kind == "tick" and cause.symbol is not None and cause.price is not None:
        return f"{cause.symbol} at {plain(cause.price)}."
    known = {
        "fill": "a fill",
        "order": "a change of an order",
        "transfer": "a transfer",
        "account": "a change of the account",
        "timer": "a deadline was reached",
        "reference": "the reference set changed",
        "recovery": "found at the start of a worker",
        "sweep": "found by the full scan",
    }
    text = known.get(cause.kind, cause.kind)
    return f"{text}{f' ({cause.id})' if cause.id else ''}."


def _level(level: Decimal) -> str:
    return f"{plain(level * 100)} %"


def _when(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _tone(command: Command) -> Tone:
    if is_good_news(command):
        return "success"
    if command.band == "liquidation" or state_of(command) in ("bankrupt", "stuck"):
        return "failure"
    return "warning"


def _of_state(what: tuple[str, str]) -> str:
    kind, state = what
    if kind == "order_cancel":
        return f"with orders cancelled ({state})"
    if kind == "auto_exchange":
        return "converted by force"
    if kind == "reduction" and what not in _DIGEST_WORDS:
        return f"reduced ({state.replace('_', ' ')})"
    return _DIGEST_WORDS[what]


def _headline(digest: Digest) -> str:
    """Return the gravest states, two at most, with their numbers."""
    order = (
        ("episode", "bankrupt"),
        ("episode", "stuck"),
        ("reduction", "takeover"),
    )
    counts = digest.counts
    first = [what for what in order if what in counts]
    rest = [what for what, _ in counts.most_common() if what not in order]
    return ", ".join(f"{counts[what]:,} {_of_state(what)}" for what in [*first, *rest][:2])


def _worst_line(alert: Alert, page_url: str) -> str:
    command = alert.command
    link = account_link(page_url, command.account_id)
    return f"– {command.account_id} {percent(command.ratio)}, {_said(command)}: {link}"


def _digest_tone(digest: Digest) -> Tone:
    tones = {_tone(alert.command) for alert in digest.worst}
    if "failure" in tones:
        return "failure"
    return "warning" if tones else "success"
