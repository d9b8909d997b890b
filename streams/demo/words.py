"""What a command says, in plain words for somebody who watches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec

from streams.demo.stage import Stage

__all__ = [
    "Line",
    "Seen",
    "Tone",
    "amount",
    "decode_command",
    "duration",
    "percent",
    "phase_words",
    "say",
    "utc",
]

Tone = Literal["warning", "cancel", "reduce", "saved", "bad", "quiet"]


class _Cause(msgspec.Struct):
    kind: str
    symbol: str | None = None


class _Inputs(msgspec.Struct):
    ticks: dict[str, int] = {}


class _Action(msgspec.Struct):
    action: str
    quantity: str
    instrument: str | None = None
    currency: str | None = None
    side: str | None = None
    position_side: str | None = None


class Seen(msgspec.Struct):
    """Of any command, what is shown of it; ratios are plain numbers, amounts USD."""

    kind: str
    account_id: str
    episode_id: str
    sequence: int
    decided_at: int
    cause: _Cause
    inputs: _Inputs
    ratio: str | None = None
    attempt: int = 1
    position: str | None = None
    """Key of an isolated position: then everything is said of it alone."""
    state: str | None = None
    level: str | None = None
    reason: str | None = None
    order_ids: tuple[str, ...] = ()
    phase: str | None = None
    step: int | None = None
    actions: tuple[_Action, ...] = ()
    shortfall: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the feed."""

    at_ms: int
    account_id: str
    ratio: float | None
    what: str
    tone: Tone


def percent(ratio: float | str | None) -> str:
    """Return a ratio as a percentage: 1.034 is `103 %`, below 10 % with a decimal."""
    if ratio is None:
        return "–"
    value = float(ratio) * 100
    if abs(value) >= 100_000:
        return "> 99,999 %" if value > 0 else "< −99,999 %"
    text = f"{value:,.1f}" if abs(value) < 200 else f"{value:,.0f}"
    return f"{text.replace('-', '−')} %"


def amount(value: str | float) -> str:
    """Return a number short enough for a feed: 1234567.8 is `1.23 M`."""
    number = float(value)
    for size, sign in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if abs(number) >= size:
            return f"{_short(number / (1e3 if sign == ' k' else size))}{sign}"
    return _short(number)


def _short(number: float) -> str:
    """Return three digits, at most six decimals, and no zeros at the end of them."""
    whole = len(str(int(abs(number))))
    decimals = 6 if abs(number) < 0.1 else max(0, 3 - whole) if abs(number) >= 1 else 3
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def duration(ms: float) -> str:
    """Return wall time in a few characters: `4 ms`, `2.6 s`, `103 s`."""
    if ms < 1_000:
        return f"{ms:.0f} ms"
    return f"{ms / 1_000:.1f} s" if ms < 10_000 else f"{ms / 1_000:,.0f} s"


def utc(ms: int) -> str:
    """Return recorded time (epoch milliseconds) to the second, UTC."""
    return f"{datetime.fromtimestamp(ms / 1000, tz=UTC):%Y-%m-%d %H:%M:%S}"


def phase_words(stage: Stage) -> str:
    """Say in a few words what is going on."""
    left = stage.seconds_left
    if left is not None:
        late = f", {stage.replay.late:.0f} s late" if stage.replay.late >= 1 else ""
        whole = max(0, round(left))
        return f"{whole // 60}:{whole % 60:02d} left{late}"
    return {
        "starting": "starting",
        "playing": "",
        "settling": "last tick is out, waiting for rest",
        "stopping": "stopping exchange and workers",
        "checking": "checking the run from its topics",
        "done": "done",
    }[stage.phase]


_REASONS = {
    "OC-1": "that open or add",
    "OC-2": "of a coin overdrawn",
    "OC-3": "over a borrow limit",
    "IN-5": "that funding left short",
    "ES-4": "before touching positions",
}
_NOTICES: dict[str, tuple[str, Tone]] = {
    "cancel_sufficient": ("saved: cancelling its orders was enough", "saved"),
    "stuck": ("stuck: no answer from the exchange", "bad"),
    "closed": ("recovered, episode closed", "saved"),
}


def say(command: Seen) -> Line | None:
    """Return the feed's line; None for what only repeats another line."""
    said = _words(command)
    if said is None:
        return None
    what, tone = said
    if command.position is not None:
        what = f"{_place(command.position)}: {what}"
    if command.attempt > 1:
        what = f"{what} (attempt {command.attempt})"
    ratio = None if command.ratio is None else float(command.ratio)
    return Line(command.decided_at, command.account_id, ratio, what, tone)


def _place(position: str) -> str:
    """Return the key of an isolated position as people read it."""
    name, _, rest = position.partition("/")
    side = rest.rpartition("/")[2]
    return f"isolated {name} {side}" if side in ("long", "short") else f"isolated {name}"


def _words(command: Seen) -> tuple[str, Tone] | None:
    if command.kind == "warning":
        return _warning(command)
    if command.kind == "order_cancel":
        count = len(command.order_ids)
        orders = "1 order" if count == 1 else f"{count} orders"
        return f"cancel {orders} {_REASONS.get(command.reason or '', '')}".rstrip(), "cancel"
    if command.kind in ("reduction", "auto_exchange"):
        return _reduction(command), "reduce"
    if command.state == "bankrupt":
        return f"bankrupt, {amount(command.shortfall or '0')} USD short", "bad"
    # `opened` goes out beside an episode's first command, which says more.
    return _NOTICES.get(command.state or "")


def _warning(command: Seen) -> tuple[str, Tone]:
    level = percent(command.level).replace(".0 %", " %")
    if command.state == "cleared":
        return f"warning over, above {level} again", "quiet"
    if command.state == "worsened":
        return f"warning: fell to {level}", "warning"
    return f"warning: {level} or less", "warning"


_PHASES = {
    "same_coin_repayment": "repay in kind",
    "opposite": "net off",
    "delta_neutral": "hedged pair",
    "basis": "basis pair",
    "auto_exchange": "convert for a debt above its quota",
}


def _reduction(command: Seen) -> str:
    if command.phase == "takeover" and command.position is not None:
        return "takeover at its bankruptcy price"
    if command.phase == "takeover":
        return f"takeover of all: {len(command.actions)} positions and coins"
    first = _action(command.actions[0]) if command.actions else ""
    more = f" + {len(command.actions) - 1}" if len(command.actions) > 1 else ""
    phase = _PHASES.get(command.phase or "")
    return f"step {command.step}: {f'{phase}, ' if phase else ''}{first}{more}"


def _action(action: _Action) -> str:
    name = action.instrument or action.currency or ""
    side = f" {action.position_side}" if action.position_side in ("long", "short") else ""
    return f"{action.action} {amount(action.quantity)} {name}{side}"


_decoder = msgspec.json.Decoder(Seen)


def decode_command(value: bytes) -> Seen | None:
    """Read a command; None when the message is none."""
    try:
        return _decoder.decode(value)
    except msgspec.MsgspecError:
        return None
