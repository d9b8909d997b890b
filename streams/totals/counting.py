"""What the accounts of this worker borrow, counted one by one in bounded turns (H-8, H-10)."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from monitor.account import Account, Balance
from monitor.contracts import order_fee, trade_value, unrealised_pnl
from monitor.currency import liability, potential_borrowing
from monitor.engine import Engine
from monitor.exact import ZERO
from monitor.limits import (
    Totals,
    isolated_debts,
    main_account_of,
    own_borrowing,
)
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reference import Reference
from streams.journal import Epoch
from streams.totals.sums import Sums

__all__ = ["Counting", "Frozen", "Part", "borrowed_by_the_book"]

MOVING_SECONDS = 10.0
"""How often an account that borrows is counted again whose borrowing moves with prices alone."""
ROUND_SECONDS = 60.0
"""The same of one that does not borrow yet: what makes it borrow may be a loss on paper."""
_NEVER = -1
_LONG_AGO = -1e9
_NOTHING = Balance()
_NOTHING_ON_PAPER: dict[str, Decimal] = {}
_NOTHING_FROZEN: dict[str, tuple[Decimal, Decimal]] = {}


@dataclass(frozen=True, slots=True)
class Frozen:
    """A part as it is published: the figures that changed, and what they are all of."""

    epoch: Epoch
    ts: int
    main_accounts: Mapping[str, Mapping[str, Decimal]]
    """Those that changed since the last time, all of them under a new epoch."""
    platform: Mapping[str, Decimal]


class Part:
    """What the accounts of one owned partition borrow."""

    def __init__(self) -> None:
        self.sums = Sums()
        self.marked: OrderedDict[str, int] = OrderedDict()
        """Accounts that changed and are not counted since → engine time of the first change."""
        self._changed: dict[str, None] = {}
        self._epoch: Epoch | None = None

    def ts(self, now: int) -> int | None:
        """Return the epoch ms until which every change is counted; None until all were once."""
        oldest = next(iter(self.marked.values()), now)
        return None if oldest == _NEVER else oldest

    def put(self, account: Account, borrowed: Mapping[str, Decimal]) -> None:
        """Count an account as it is now."""
        self.marked.pop(account.account_id, None)
        for main in self.sums.put(account.account_id, main_account_of(account), borrowed):
            self._changed[main] = None

    def publish_again(self, main_account_ids: Iterable[str]) -> None:
        """Publish these although they did not change."""
        self._changed.update(dict.fromkeys(main_account_ids))

    def freeze(self, now: int, epoch: Epoch) -> Frozen | None:
        """Return what is to be published now; None until every account was counted once."""
        ts = self.ts(now)
        if ts is None:
            return None
        mains = self.sums.main_accounts
        if epoch != self._epoch:
            # Whoever reads this epoch drops all figures of the last one.
            self._epoch, self._changed = epoch, dict.fromkeys(mains)
        changed = {name: dict(mains.get(name, {})) for name in self._changed}
        self._changed = {}
        return Frozen(epoch, ts, changed, dict(self.sums.platform))


class Counting:
    """The parts of all ready partitions of this worker."""

    def __init__(
        self, engine: Callable[[], Engine], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.parts: dict[int, Part] = {}
        self._engine, self._clock = engine, clock
        self._moving: OrderedDict[str, float] = OrderedDict()
        self._rest: OrderedDict[str, float] = OrderedDict()
        """Account → when it was counted, the longest ago first."""

    @property
    def waiting(self) -> int:
        """How many accounts changed, or are new, and are not counted since."""
        return sum(len(part.marked) for part in self.parts.values())

    def begin(self, partition: int) -> Part:
        """Count a partition that has become ready; its accounts are kept count of until `end`."""
        part = self.parts.get(partition)
        if part is not None:
            return part  # it lagged for a while, and its changes were marked meanwhile
        part = self.parts[partition] = Part()
        part.marked.update(dict.fromkeys(self._engine().partitions.get(partition, ()), _NEVER))
        return part

    def end(self, partition: int) -> None:
        """Forget a partition that is owned no longer."""
        self.parts.pop(partition, None)

    def mark(self, partition: int, account_id: str) -> None:
        """Say that an account's record changed."""
        part = self.parts.get(partition)
        if part is not None:
            part.marked.setdefault(account_id, self._engine().now)

    def count_again(self) -> None:
        """Count every account again in its turn: a new reference set may freeze other fees."""
        for name, entry in self._engine().entries.items():
            if entry.partition in self.parts:
                self._moving.pop(name, None)
                self._rest[name] = _LONG_AGO
                self._rest.move_to_end(name, last=False)

    def note(self, partition: int, account: Account, figures: Figures) -> None:
        """Take the figures of an account that somebody assessed just now."""
        part = self.parts.get(partition)
        if part is None:
            return
        # PX-3: an account without a price blocks nobody; it counts with what its book says it owes.
        priced = not figures.unpriced
        borrowed = own_borrowing(account, figures) if priced else _owed_by_the_book(account)
        part.put(account, borrowed)
        self._come_again(account, moving=bool(borrowed))

    def of_main_accounts(self, main_account_ids: Iterable[str]) -> Iterator[str]:
        """Yield own accounts that borrow, of these main accounts, past a limit of everybody's.

        OC-3 concerns only what borrows (BL-4), by the totals that the engine has.
        """
        engine = self._engine()
        for main in main_account_ids:
            for part in self.parts.values():
                for account_id in part.sums.sources_of(main):
                    entry = engine.entries.get(account_id)
                    if entry is not None and engine.past_a_total(entry):
                        yield account_id

    def of_spent_pools(self, totals: Totals) -> Iterator[str]:
        """BL-3: yield own accounts that borrow a currency of which more is lent than its pool."""
        for name, entry in self._engine().reference.currencies.items():
            pool, lent = entry.platform_pool, totals.of_platform(name)
            if pool is not None and lent is not None and lent > pool:
                for part in self.parts.values():
                    yield from part.sums.sources_in(name)

    def turn(self, seconds: float) -> int:
        """Count for at most `seconds`; return how many accounts. What changed comes first."""
        until = self._clock() + seconds
        counted = 0
        for partition, part in self.parts.items():
            while part.marked:
                if counted and self._clock() > until:
                    return counted
                self._count(next(iter(part.marked)), partition)
                counted += 1
        for line, age in ((self._moving, MOVING_SECONDS), (self._rest, ROUND_SECONDS)):
            due = self._clock() - age
            while line and next(iter(line.values())) <= due:
                if counted and self._clock() > until:
                    return counted
                name, _ = line.popitem(last=False)
                entry = self._engine().entries.get(name)
                if entry is not None:
                    self._count(name, entry.partition)
                    counted += 1
        return counted

    def _count(self, account_id: str, partition: int) -> None:
        """Count one account as it is now."""
        engine, part = self._engine(), self.parts.get(partition)
        entry = engine.entries.get(account_id)
        if part is None:
            return
        if entry is None or not entry.known:
            part.marked.pop(account_id, None)
            return
        account = entry.peek()
        priced = account_id not in engine.watch.unpriced
        borrowed: dict[str, Decimal] | None = None
        if priced:
            borrowed = borrowed_by_the_book(account, engine.reference, engine.prices)
        if borrowed is None:
            self.note(partition, account, assess(account, engine.reference, engine.prices))
        else:
            part.put(account, borrowed)
            self._come_again(account, moving=bool(borrowed))

    def _come_again(self, account: Account, *, moving: bool) -> None:
        """Put an account that prices alone can make borrow into its line."""
        name = account.account_id
        self._moving.pop(name, None)
        self._rest.pop(name, None)
        moves = any(order.price is None for order in account.orders.values())
        if moves or (account.positions and account.mode != "spot"):
            line = self._moving if moving else self._rest
            line[name] = self._clock()


def borrowed_by_the_book(
    account: Account, reference: Reference, prices: PriceBook
) -> dict[str, Decimal] | None:
    """BL-4: return currency → what a priced account borrows, coin; None where it must be assessed.

    It is told without where equities and what orders freeze are simple sums: no options ordered, no
    market orders, no isolated ones. An account with cross positions is told only if it borrows
    nothing.
    """
    if account.positions and reference.policy.anticipate_funding:
        return None
    paper = _on_paper(account, reference, prices) if account.positions else _NOTHING_ON_PAPER
    frozen = _frozen_by_limit_orders(account, reference) if account.orders else _NOTHING_FROZEN
    if paper is None or frozen is None:
        return None
    found = isolated_debts(account) if account.isolated else {}
    mode, balances = account.mode, account.balances
    for name in {**balances, **paper, **frozen} if paper or frozen else balances:
        b, held = balances.get(name, _NOTHING), frozen.get(name)
        cash, equity = b.cash, b.cash + paper.get(name, ZERO)
        if b.borrowed or b.accrued_interest:
            equity -= b.borrowed + b.accrued_interest
        elif held is None and cash >= ZERO and equity >= ZERO:
            continue  # nothing is owed, and no order takes anything
        owed = liability(mode, cash, b.borrowed, b.accrued_interest, equity)  # CU-6
        if held is not None:
            owed = potential_borrowing(account, cash, equity, owed, *held)  # CU-7
        if owed:
            if account.positions:
                return None
            found[name] = found.get(name, ZERO) + owed
    return found


def _on_paper(
    account: Account, reference: Reference, prices: PriceBook
) -> dict[str, Decimal] | None:
    """Return coin → what cross positions add to its equity; None where a price is missing."""
    found: dict[str, Decimal] = {}
    for position in account.positions.values():
        mark = prices.prices.get(f"{position.instrument}/mark")
        instrument = reference.instruments.get(position.instrument)
        if mark is None or instrument is None:
            return None
        size, held = reference.sizes[position.instrument], position.quantity
        if instrument.kind == "option":
            value = trade_value(instrument, size, held, mark.price)  # CU-3
        else:
            value = unrealised_pnl(instrument, size, held, position.entry_price, mark.price)
        coin = instrument.settle or instrument.quote
        found[coin] = found.get(coin, ZERO) + value
    return found


def _frozen_by_limit_orders(
    account: Account, reference: Reference
) -> dict[str, tuple[Decimal, Decimal]] | None:
    """CU-4: return coin → what orders without and with auto-borrow freeze; None for other orders."""
    frozen: dict[str, tuple[Decimal, Decimal]] = {}
    taker = reference.fees_of(account.fee_schedule).derivative_taker
    for order in account.orders.values():
        instrument = reference.instruments.get(order.instrument)
        if instrument is None or order.price is None or order.margin_mode == "isolated":
            return None
        if instrument.kind == "option":
            return None
        buys, left = order.side == "buy", order.remaining
        borrows = order.auto_borrow if account.mode == "spot" else account.auto_borrow
        if instrument.kind != "spot":
            coin, borrows = instrument.settle or instrument.quote, True
            size = reference.sizes[order.instrument]
            held = order_fee(instrument, size, left, order.price, taker)
        else:
            coin = instrument.quote if buys else instrument.underlying
            held = left * order.price if buys else left
        without, with_ = frozen.get(coin, (ZERO, ZERO))
        frozen[coin] = (without, with_ + held) if borrows else (without + held, with_)
    return frozen


def _owed_by_the_book(account: Account) -> dict[str, Decimal]:
    """Return currency → what is owed whatever prices are: unrealised PnL and orders left out."""
    found = isolated_debts(account)
    for name, b in account.balances.items():
        equity = b.cash - b.borrowed - b.accrued_interest
        owed = liability(account.mode, b.cash, b.borrowed, b.accrued_interest, equity)  # CU-6
        if owed:
            found[name] = found.get(name, ZERO) + owed
    return found
