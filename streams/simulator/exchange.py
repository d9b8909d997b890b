"""The simulated exchange without Kafka: commands and ticks in, events out, in one thread."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field
from decimal import ROUND_UP, Decimal

import msgspec

from monitor.exact import ZERO, plain
from streams.simulator import wire
from streams.simulator.account import Account
from streams.simulator.books import Books
from streams.simulator.catalogue import Catalogue
from streams.simulator.market import Market, RestingOrders
from streams.simulator.settings import SimulateSettings

__all__ = ["CommandRecord", "Counters", "Exchange", "Steps", "wall_ms"]

Steps = Generator[int, None, None]
"""Something that takes time: each value is how long to wait before going on, in clock ms."""

_FEE_STEP = Decimal("1e-12")
"""Fees are rounded up to this: inverse fees would not end otherwise."""


def wall_ms() -> int:
    """Return the wall clock in epoch milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Counters:
    """What the exchange did; commands by their fate, actions by their end."""

    ticks: int = 0
    bad_messages: int = 0
    commands: int = 0
    expired: int = 0
    superseded: int = 0
    """Ignored: the sequence is not above the last of its episode and the attempt not higher."""
    in_flight: int = 0
    """Copies of a command that is being carried out."""
    unknown: int = 0
    dropped: int = 0
    orders_cancelled: int = 0
    actions: int = 0
    fills: int = 0
    takeovers: int = 0
    natural: int = 0
    fundings: int = 0
    interest: int = 0
    """Accruals and deductions that the books followed, or sent where the exchange books them."""

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(slots=True)
class CommandRecord:
    """What is known of one `command_id`."""

    attempt: int = 1
    """The highest attempt seen."""
    done: dict[tuple[str, ...], Decimal] = field(default_factory=dict)
    """(instrument, position side, side) or (`repay`, coin) → filled so far."""
    ended: set[str] = field(default_factory=set)
    """Instruments on which this command's orders are final."""
    running: bool = False
    expires_at: int = 0


class Exchange:
    """Books, market and schedule; what it sends gathers in `outbox`.

    Every event is numbered, applied to the books and encoded in one step, so that the topics tell
    exactly what the books hold.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        settings: SimulateSettings | None = None,
        *,
        wall: Callable[[], int] = wall_ms,
    ) -> None:
        self.settings = settings or SimulateSettings()
        self.catalogue = catalogue
        self.books = Books(catalogue)
        self.market = Market()
        self.resting = RestingOrders(catalogue)
        self.outbox: deque[tuple[str, bytes, bytes]] = deque()
        """(topic without prefix, key, value)."""
        self.counters = Counters()
        self.commands: dict[str, CommandRecord] = {}
        self.funded: dict[str, tuple[int, set[str]]] = {}
        """Swap → time of the last funding that an earlier run began, and ids of what it paid."""
        self.copies = 1
        """How often each event is sent; 2 while a command with that fault is carried out."""
        self.on_touch: Callable[[str, str], None] | None = None
        """Called with account and order when the market reaches a resting order's price."""
        self._wall = wall
        self._due: list[tuple[int, int, Steps]] = []
        self._ticket = itertools.count()
        self._last_wall = 0

    def now(self) -> int:
        """Return the chosen clock in epoch milliseconds; it never goes back."""
        if self.settings.clock == "event":
            return self.market.latest_ts or self.settings.start_ts or self._wall()
        self._last_wall = max(self._last_wall, self._wall())
        return self._last_wall

    def scaled(self, milliseconds: float) -> int:
        """Return a delay in ms of the chosen clock."""
        scale = self.settings.time_scale if self.settings.clock == "event" else 1.0
        return max(1, round(milliseconds * scale))

    # -- in ------------------------------------------------------------------

    def on_tick(self, tick: wire.Tick) -> None:
        """Take a tick; orders that it reaches are filled."""
        self.counters.ticks += 1
        if not self.market.take(tick) or self.on_touch is None:
            return
        for account_id, order_id in self.resting.touched(tick, self.market):
            self.on_touch(account_id, order_id)

    def schedule(self, steps: Steps, delay: int = 0) -> None:
        """Run `steps` up to their first wait after `delay` clock ms."""
        heapq.heappush(self._due, (self.now() + delay, next(self._ticket), steps))

    def run_due(self, ahead: int = 0, limit: int = 1_000) -> int:
        """Run what is due, at most `limit` steps; return how many ran.

        `ahead` moves the schedule alone: a replay that has ended leaves the event clock standing,
        and what is under way must still come to its end.
        """
        ran = 0
        now = self.now() + ahead
        while self._due and self._due[0][0] <= now and ran < limit:
            due, _, steps = heapq.heappop(self._due)
            wait = next(steps, None)
            if wait is not None:
                heapq.heappush(self._due, (max(due, now) + wait, next(self._ticket), steps))
            ran += 1
        return ran

    @property
    def waiting(self) -> int:
        """How many commands are under way."""
        return len(self._due)

    # -- out -----------------------------------------------------------------

    def emit(self, event: wire.Event) -> None:
        """Number an event, apply it to the books and put it into the outbox."""
        account = self.books.accounts[event.account_id]
        event.account_seq = account.seq + 1
        self.books.apply(event)
        if isinstance(event, wire.Order) and event.status == "open":
            self.resting.add(event.account_id, event)
        message = (wire.topic_of(event), event.account_id.encode(), wire.encode(event))
        for _ in range(self.copies):
            self.outbox.append(message)

    def new_id(self, account: Account, letter: str) -> str:
        """Return an id that no other event has, also over restarts.

        An event's number is above the one its id was made at, so a restart counts on from above.
        """
        return f"{account.account_id}-{letter}{account.seq + 1}-{next(self._ticket)}"

    def fill(
        self,
        account: Account,
        order: wire.Order,
        quantity: Decimal,
        price: Decimal,
        *,
        free: bool = False,
    ) -> None:
        """Send one fill of `order`, with the taker fee of the account's schedule unless `free`.

        The fee is taken from what a cross spot trade receives, else from the settle (quote) coin.
        """
        contract = self.catalogue.contracts[order.instrument]
        in_base = contract.is_spot and order.side == "buy" and order.margin_mode == "cross"
        coin, fee = contract.base if in_base else contract.settle, ZERO
        if not free:
            paid_on = quantity if in_base else contract.value(quantity, price)
            rate = self.catalogue.taker(account.schedule, contract)
            fee = (paid_on * rate).quantize(_FEE_STEP, ROUND_UP)
        self.counters.fills += 1
        self.emit(
            wire.Fill(
                account_id=account.account_id,
                fill_id=self.new_id(account, "f"),
                order_id=order.order_id,
                instrument=order.instrument,
                side=order.side,
                position_side=order.position_side,
                margin_mode=order.margin_mode,
                price=plain(price),
                quantity=plain(quantity),
                fee=plain(fee),
                fee_currency=coin,
                ts=self.now(),
                command_id=order.command_id,
            )
        )

    def close_order(self, account: Account, order: wire.Order, filled: Decimal) -> None:
        """End an order: filled when its whole quantity was, cancelled otherwise."""
        whole = filled >= Decimal(order.quantity)
        self.emit(
            msgspec.structs.replace(
                order,
                version=order.version + (order.order_id in account.orders),
                status="filled" if whole else "cancelled",
                filled_quantity=plain(filled),
                ts=self.now(),
            )
        )

    def transfer(
        self,
        account: Account,
        kind: str,
        coin: str,
        amount: str,
        command_id: str | None = None,
        *,
        transfer_id: str | None = None,
        position: tuple[str, str] | None = None,
    ) -> None:
        """Send one movement of cash, of a position (instrument, side) where it is about one."""
        instrument, side = position if position is not None else (None, None)
        self.emit(
            wire.Transfer(
                account_id=account.account_id,
                transfer_id=transfer_id or self.new_id(account, "t"),
                kind=kind,  # type: ignore[arg-type]
                currency=coin,
                amount=amount,
                ts=self.now(),
                instrument=instrument,
                position_side=side,  # type: ignore[arg-type]
                command_id=command_id,
            )
        )
