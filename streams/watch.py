"""`liqmon watch`: the output topics as one line each."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console
from rich.text import Text

from monitor.exact import plain
from monitor.schema import (
    Action,
    Command,
    DeadLetter,
    EpisodeNotice,
    Heartbeat,
    OrderCancel,
    Reduction,
    WarningCommand,
)
from monitor.schema.interest import InterestNotice
from streams.client import Output, expired, subscribe
from streams.display import percent, up
from streams.settings import Settings

__all__ = ["KINDS", "WatchOptions", "describe", "line", "watch"]

KINDS: dict[str, str] = {
    "warning": "warnings",
    "order_cancel": "order-cancels",
    "reduction": "reductions",
    "episode": "episodes",
    "interest": "interest",
    "dead_letter": "dead-letters",
    "heartbeat": "heartbeats",
}
"""Kind → topic."""
_DEFAULT_KINDS = ("warning", "order_cancel", "reduction", "episode", "dead_letter")
_STYLES = {
    "warning": "yellow",
    "order_cancel": "magenta",
    "reduction": "red",
    "episode": "cyan",
    "interest": "bright_black",
    "auto_exchange": "red",
    "dead_letter": "bright_black",
    "heartbeat": "bright_black",
}
_NAMED_ORDERS = 3


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What is shown; nothing chosen: all but heartbeats, of every account."""

    kinds: Collection[str] = ()
    accounts: Collection[str] = ()
    json: bool = False
    from_start: bool = False


async def watch(settings: Settings, options: WatchOptions) -> None:
    """Print until cancelled."""
    kinds = options.kinds or _DEFAULT_KINDS
    topics = [KINDS[kind] for kind in KINDS if kind in kinds]
    # Colours on a terminal only; a line is never broken or cut.
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    # On the event clock this machine's time says nothing about what has expired.
    wall = settings.clock == "wall"
    async with aclosing(
        subscribe(*topics, settings=settings, from_start=options.from_start)
    ) as messages:
        async for message in messages:
            if options.accounts and account_of(message) not in options.accounts:
                continue
            if options.json:
                sys.stdout.write(message.model_dump_json() + "\n")
            else:
                console.print(line(message, late=wall and expired(message)))
            sys.stdout.flush()
            # A long history must not hold off Ctrl-C.
            await asyncio.sleep(0)


def account_of(message: Output) -> str | None:
    """Return the account a message is about."""
    return None if isinstance(message, Heartbeat) else message.account_id


def line(message: Output, *, late: bool = False) -> Text:
    """Return time (UTC), account, kind, ratio and what is said, in one line."""
    at = message.decided_at if isinstance(message, Command) else message.ts
    when = datetime.fromtimestamp(at / 1000, UTC)
    about = message.worker if isinstance(message, Heartbeat) else message.account_id or "–"
    ratio = percent(message.ratio) if isinstance(message, Command) else ""
    text = Text()
    text.append(f"{when:%Y-%m-%d %H:%M:%S}.{at % 1000:03d}  ", style="dim")
    text.append(f"{about:<16} ")
    text.append(f"{message.kind:<12} ", style=_STYLES[message.kind])
    text.append(f"{ratio:>10}  ", style="bold")
    text.append(describe(message))
    if isinstance(message, Command):
        if message.attempt > 1:
            text.append(f"  attempt {message.attempt}", style="bold")
        if message.stale_prices:
            text.append(f"  stale: {', '.join(message.stale_prices)}", style="yellow")
    if late:
        text.append("  expired", style="dim")
    return text


def _whole_percent(ratio: Decimal) -> str:
    return f"{plain(ratio * 100)} %"


def describe(message: Output) -> str:
    """Return what a message says, without account and time."""
    match message:
        case WarningCommand(state="cleared"):
            return f"cleared, above {_whole_percent(message.level)}"
        case WarningCommand():
            return f"{message.state}, at or below {_whole_percent(message.level)}"
        case OrderCancel():
            return f"{message.reason}: cancel {_orders(message.order_ids)}"
        case Reduction():
            actions = "; ".join(_action(action) for action in message.actions)
            return (
                f"step {message.step} {message.phase}: {actions} "
                f"→ {percent(message.expected_ratio)}"
            )
        case EpisodeNotice(shortfall=None):
            return f"{message.episode_id} {message.state}"
        case EpisodeNotice():
            return f"{message.episode_id} {message.state}, shortfall {up(message.shortfall)} USD"
        case InterestNotice():
            about = f" on {message.instrument}" if message.instrument else ""
            return (
                f"{message.state} {plain(message.amount)} {message.currency}{about}, "
                f"{plain(message.yearly_rate * 100)} % a year"
            )
        case DeadLetter():
            return f"{message.topic}[{message.partition}]@{message.offset}: {message.reason}"
        case Heartbeat():
            bands = ", ".join(f"{count} {band}" for band, count in message.accounts.items())
            return (
                f"{message.state}, {len(message.partitions)} partitions, "
                f"accounts: {bands or 'none'}, lag {message.lag}"
            )


def _orders(order_ids: tuple[str, ...]) -> str:
    named = ", ".join(order_ids[:_NAMED_ORDERS])
    more = len(order_ids) - _NAMED_ORDERS
    noun = "order" if len(order_ids) == 1 else "orders"
    return f"{len(order_ids)} {noun} ({named}{f' and {more} more' if more > 0 else ''})"


def _action(action: Action) -> str:
    what = action.instrument or action.currency or ""
    side = "" if action.side is None or action.action in ("buy", "sell") else f" {action.side}"
    tiers = ""
    if action.from_tier is not None and action.to_tier is not None:
        tiers = f", tier {action.from_tier} to {action.to_tier}"
    return (
        f"{action.action}{side} {plain(action.quantity)} {what} "
        f"({action.notional_usd:,.0f} USD{tiers})"
    )
