"""An account about to be reduced: its book, its prices, and what a candidate step would do (RD)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from monitor.exact import ONE, ZERO
from monitor.schema import (
    BorrowTier,
    Fees,
    Instrument,
    Policy,
    PositionSide,
    PositionTier,
    Side,
)
from streams.verify.assessing import assess
from streams.verify.black76 import coin_delta
from streams.verify.book import Book, Position, is_inverse
from streams.verify.catalog import ReferenceSet
from streams.verify.figures import Figures, Unpriced
from streams.verify.market import Quotes
from streams.verify.options import forward_key
from streams.verify.tables import group_sizes, notional, tier_index

__all__ = ["Leg", "Planned", "Situation", "Step", "ceil_to", "floor_to"]


def floor_to(value: Decimal, unit: Decimal) -> Decimal:
    """Return the largest multiple of `unit` not above `value`."""
    return (value / unit).to_integral_value(ROUND_FLOOR) * unit


def ceil_to(value: Decimal, unit: Decimal) -> Decimal:
    """Return the smallest multiple of `unit` not below `value`."""
    return (value / unit).to_integral_value(ROUND_CEILING) * unit


@dataclass(frozen=True, slots=True)
class Planned:
    """One action as it should be commanded; tiers are numbered from 1."""

    action: str
    quantity: Decimal
    notional_usd: Decimal
    instrument: str | None = None
    currency: str | None = None
    side: Side | None = None
    position_side: PositionSide | None = None
    bankruptcy_price: Decimal | None = None
    from_tier: int | None = None
    to_tier: int | None = None
    fee_usd: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Leg:
    """A cross derivative position that may be reduced (RD-2, RD-4)."""

    instrument: str
    side: PositionSide
    position: Position
    spec: Instrument
    mark: Decimal
    unit_delta: Decimal
    """Delta of one contract when long, in coin: of a put negative."""

    @property
    def delta(self) -> Decimal:
        """Signed delta in coin: of a short put positive."""
        return self.position.quantity * self.unit_delta

    @property
    def is_option(self) -> bool:
        """Whether it is a short option; long ones are no legs (RD-4)."""
        return self.spec.kind == "option"

    @property
    def closing_side(self) -> Side:
        """The side of a fill that closes it."""
        return "sell" if self.position.quantity > 0 else "buy"

    @property
    def size(self) -> Decimal:
        """Contracts, unsigned."""
        return abs(self.position.quantity)

    @property
    def name(self) -> str:
        """The id that ties are broken by."""
        return f"{self.instrument}/{self.side}"

    def rounded(self, price: Decimal) -> Decimal:
        """Round a bankruptcy price to the tick: longs up, shorts down, at least one tick."""
        away = ceil_to if self.position.quantity > 0 else floor_to
        return max(away(price, self.spec.tick), self.spec.tick)

    def delta_of(self, contracts: Decimal) -> Decimal:
        """Return the unsigned delta of some contracts, in coin."""
        return contracts * abs(self.unit_delta)


@dataclass(frozen=True, slots=True)
class Step:
    """A step with the copy of the book it leads to."""

    phase: str
    actions: tuple[Planned, ...]
    book: Book = field(repr=False)
    after: Figures = field(repr=False)
    before: Figures = field(repr=False)
    name: str = ""
    delta_usd: Decimal = ZERO

    @property
    def loss(self) -> Decimal:
        """Adjusted equity that the step costs, in USD."""
        return self.before.adjusted_equity - self.after.adjusted_equity

    @property
    def relief(self) -> Decimal:
        """What maintenance and fee fall by, in USD."""
        return self.before.requirement - self.after.requirement

    def rank(self) -> tuple[object, ...]:
        """Order by RD-2 (c): loss ≤ 0 first, then most relief per loss."""
        ties = (self.delta_usd, -self.relief, self.name)
        if self.loss <= 0:
            return (0, -self.relief, *ties)
        return (1, -(self.relief / self.loss), *ties)

    def describe(self) -> str:
        """Return a line that shows how the step stands among its rivals."""
        ratio = self.after.ratio
        expected = "none" if ratio is None else f"{ratio:.6f}"
        per_loss = f"{self.relief / self.loss:.6f}" if self.loss > 0 else "first"
        return (
            f"{self.phase} {self.name}: relief {self.relief:.6f} loss {self.loss:.6f} "
            f"per loss {per_loss} expected {expected}"
        )


class Situation:
    """Book, prices, reference set and time (epoch ms) of one decision."""

    def __init__(
        self, book: Book, quotes: Quotes, reference: ReferenceSet, before: Figures, now: int
    ) -> None:
        self.book, self.quotes, self.reference, self.before = book, quotes, reference, before
        self.now = now
        self.fees: Fees = reference.fees_of(book.settings.fee_schedule)
        self.policy: Policy = reference.policy
        self.mode = book.settings.mode
        self.exit = self.policy.level("liquidation_exit", self.mode)

    def index(self, currency: str) -> Decimal | None:
        """Return a currency's index in USD."""
        return self.quotes.index(currency)

    def legs(self) -> list[Leg]:
        """Return the derivative positions by instrument and side; long options are none (RD-4)."""
        legs = []
        for (name, side), position in sorted(self.book.positions.items()):
            spec, mark = self.reference.instruments[name], self.quotes.mark(name) or ZERO
            if spec.kind == "option" and position.quantity > 0:
                continue
            legs.append(Leg(name, side, position, spec, mark, self._unit_delta(spec, mark)))
        return legs

    def _unit_delta(self, spec: Instrument, mark: Decimal) -> Decimal:
        size = spec.contract_value * spec.multiplier
        if spec.kind != "option":
            return size / mark if spec.inverse else size
        key = forward_key(self.reference, self.quotes, spec)
        forward = self.quotes[key] if key is not None else self.index(spec.underlying)
        return size * coin_delta(spec, mark, forward or ZERO, self.now)

    def underlying_price(self, leg: Leg) -> Decimal:
        """Return the USD index of a leg's underlying, its mark when there is no index."""
        index = self.index(leg.spec.underlying)
        if index is not None:
            return index
        return leg.mark if leg.spec.inverse else leg.mark * (self.index(leg.spec.quote) or ONE)

    def value_of(self, leg: Leg, contracts: Decimal) -> Decimal:
        """Return the USD notional of some contracts of a leg at mark, of options at the index."""
        if leg.is_option:
            size = contracts * leg.spec.contract_value * leg.spec.multiplier
            return size * self.underlying_price(leg)
        quote = self.index(leg.spec.settle or "") or ZERO
        return notional(leg.spec, contracts, leg.mark, quote)

    def fee_of(self, leg: Leg, contracts: Decimal) -> Decimal:
        """Return the taker fee of closing some contracts, in the settle currency."""
        size = contracts * leg.spec.contract_value * leg.spec.multiplier
        value = size / leg.mark if is_inverse(leg.spec) else size * leg.mark
        return value * self.fees.derivative_taker

    def close(self, book: Book, leg: Leg, contracts: Decimal, *, fee: bool = True) -> None:
        """Apply the fill that closes some contracts at mark, with its taker fee."""
        book.trade(leg.instrument, leg.spec, leg.closing_side, leg.side, contracts, leg.mark)
        if fee:
            book.move_cash(leg.spec.settle or "", -self.fee_of(leg, contracts))

    def step(
        self,
        phase: str,
        actions: tuple[Planned, ...],
        book: Book,
        name: str = "",
        delta_usd: Decimal = ZERO,
    ) -> Step | None:
        """Value a step on the copy it leads to; None when the copy cannot be priced."""
        after = assess(book, self.quotes, self.reference)
        if isinstance(after, Unpriced):
            return None
        if phase != "takeover":
            actions = tuple(self._tiered(action, book, after, name) for action in actions)
        return Step(phase, actions, book, after, self.before, name, delta_usd)

    def _tiered(self, action: Planned, book: Book, after: Figures, name: str) -> Planned:
        """Say which tier an action leads from and to: of its contracts, else of the debt it pays."""
        tiers: Sequence[PositionTier | BorrowTier]
        side = action.position_side
        if action.action == "close" and action.instrument is not None and side is not None:
            spec = self.reference.instruments[action.instrument]
            tiers, place = spec.position_tiers, (spec.family, spec.kind)
            held = (action.instrument, side) in book.positions
            sizes = [group_sizes(b, f.opening, self.reference) for b, f in self._both(book, after)]
            first, last = (size.get(place, ZERO) for size in sizes)
        else:
            owed = action.currency if action.action == "repay" else name
            tiers = self.reference.currencies[owed or ""].borrow_tiers
            if not tiers:
                return action
            now = after.coins.get(owed or "")
            held = now is not None and now.liability > 0
            first = self.before.coins[owed or ""].potential
            last = now.potential if now is not None else ZERO
        leads_to = tier_index(tiers, last) + 1 if held else None
        return replace(action, from_tier=tier_index(tiers, first) + 1, to_tier=leads_to)

    def _both(self, book: Book, after: Figures) -> tuple[tuple[Book, Figures], ...]:
        return (self.book, self.before), (book, after)

    def admissible(self, step: Step) -> bool:
        """RD-7: no sign changes, the requirement does not grow, the ratio does not fall."""
        if step.after.requirement > self.before.requirement:
            return False
        before, after = self.before.ratio, step.after.ratio
        if after is not None and (before is None or after < before):
            return False
        return not self._signs_changed(step.book, step.after)

    def _signs_changed(self, book: Book, after: Figures) -> bool:
        for key, held in self.book.positions.items():
            now = book.positions.get(key)
            if now is not None and now.quantity * held.quantity < 0:
                return True
        for currency in set(self.book.balances) | set(book.balances):
            was, now_is = self.book.balance(currency), book.balance(currency)
            if now_is.borrowed < 0 or now_is.accrued < 0:
                return True
            if self.mode == "spot":
                changed = was.cash * now_is.cash < 0
            else:
                coin_was, coin_is = self.before.coins.get(currency), after.coins.get(currency)
                changed = (
                    coin_was is not None
                    and coin_is is not None
                    and coin_was.equity * coin_is.equity < 0
                )
            if changed:
                return True
        return False
