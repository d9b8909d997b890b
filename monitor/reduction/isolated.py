"""The next step of one isolated position, by its own ratio (MR-3, RD-3, RD-4, RD-6, RD-7)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from decimal import Decimal

from monitor.account.isolated import fill_isolated
from monitor.account.state import Account, IsolatedPosition
from monitor.contracts import notional_usd, trade_value
from monitor.exact import ONE, ZERO
from monitor.margin import Figures, assess
from monitor.margin.figures import IsolatedFigures
from monitor.reduction.bankruptcy import isolated_bankruptcy_price
from monitor.reduction.capping import within_caps
from monitor.reduction.legs import tier_step
from monitor.reduction.moves import lots_up
from monitor.reduction.step import Capped, Notionals, Plan
from monitor.reduction.trial import Market, settle_of
from monitor.schema.commands import Action
from monitor.schema.events import Fill

__all__ = ["plan_isolated"]

_ROUNDING = Decimal("1e-30")
"""Relative. A share of a position keeps its ratio, but dividing it leaves the last of 50 digits
uncertain; a fall by no more than this is none."""


def plan_isolated(
    account: Account, key: str, figures: Figures, market: Market
) -> Plan | Capped | None:
    """Return the next step of `account.isolated[key]`; `None` when nothing is held there.

    `figures` are those of `account` at the prices of `market`. Whether the position is in
    liquidation, and its prices fresh, is the caller's question. The caps' subject is `account/key`.
    """
    own = figures.isolated.get(key)
    held = account.isolated.get(key)
    if own is None or held is None or not held.quantity:
        return None
    return _IsolatedPlanner(account, held, own, market).run()


class _IsolatedPlanner:
    def __init__(
        self, account: Account, held: IsolatedPosition, own: IsolatedFigures, market: Market
    ) -> None:
        self.account = account
        self.held = held
        self.own = own
        self.market = market
        reference = market.reference
        self.instrument = reference.instruments[held.instrument]
        self.on_margin = self.instrument.kind == "spot"
        self.size = ONE if self.on_margin else reference.sizes[held.instrument]
        fees = reference.fees_of(account.fee_schedule)
        self.taker = fees.spot_taker if self.on_margin else fees.derivative_taker
        self.exit = reference.policy.level("liquidation_exit", account.mode)
        self.direction = 1 if held.quantity > 0 else -1
        self.whole = abs(held.quantity)
        self.settle_price = market.prices.index(settle_of(self.instrument))

    def run(self) -> Plan | Capped:
        if self._must_be_taken_over():
            return self._take_over()
        step = self._margin_step() if self.on_margin else self._derivative_step()
        count = int(lots_up(step, self.instrument.lot))
        if not self.on_margin:
            count = self._smallest(count, step)  # debts always take the tier step
        if not self._passes(self._contracts(count, step)):
            step = self.whole  # RD-7: what cannot become smaller goes
            count = int(lots_up(step, self.instrument.lot))

        def notionals(lots: int) -> Notionals:
            return ((self.held.instrument, self._notional(self._contracts(lots, step))),)

        granted = within_caps(
            self.market,
            f"{self.account.account_id}/{self.own.key}",
            count,
            notionals,
            lambda lots: self._passes(self._contracts(lots, step)),
            self.own.symbols,
        )
        if isinstance(granted, Capped):
            return granted
        return self._plan(
            self._contracts(granted.count, step), granted.left, cut=granted.count < count
        )

    # -- how much -----------------------------------------------------------------------------

    def _contracts(self, lots: int, step: Decimal) -> Decimal:
        return min(lots * self.instrument.lot, step)

    def _derivative_step(self) -> Decimal:
        """RD-3: by the tier of the position's own size."""
        steps_down = self.market.reference.policy.tier_steps_down
        return tier_step(self.instrument, self.own.tier, self.whole, self.whole, steps_down)

    def _margin_step(self) -> Decimal:
        """RD-3: the base coin whose share of the debt leaves it at the bound of the tier below."""
        owed = self.held.liability + self.held.accrued_interest
        if self.own.tier < 2 or owed <= 0:
            return self.whole
        tiers = self.market.reference.currencies[self.held.liability_currency].borrow_tiers
        wanted = self.whole * (owed - tiers[self.own.tier - 2].up_to) / owed
        return min(self.whole, lots_up(wanted, self.instrument.lot) * self.instrument.lot)

    def _smallest(self, count: int, step: Decimal) -> int:
        """RD-6: the fewest lots above the exit level.

        Closing takes the same share off margin, PnL and requirement, so the ratio changes where a
        tier bound is passed and nowhere else.
        """
        gaps = (self.whole - tier.up_to for tier in self.instrument.position_tiers)
        starts = {
            bisect_left(range(1, count), gap, key=lambda lots: self._contracts(lots, step)) + 1
            for gap in gaps
            if ZERO < gap <= step
        }
        for lots in sorted(starts):
            after = self._after(self._contracts(lots, step))
            if after is None or after.ratio is None or after.ratio > self.exit:
                return lots
        return count

    # -- what it makes of the position --------------------------------------------------------

    def _after(self, quantity: Decimal) -> IsolatedFigures | None:
        """Apply the expected fill to a copy of the book and assess that copy; `None`: all closed."""
        copy = self.account.copy()
        fill = Fill(
            account_id=copy.account_id,
            fill_id="expected",
            order_id="expected",
            instrument=self.held.instrument,
            side="sell" if self.direction > 0 else "buy",
            position_side=self.held.side,
            margin_mode="isolated",
            price=self.own.mark,
            quantity=quantity,
            fee=self._fee(quantity),
            fee_currency=settle_of(self.instrument),
            ts=0,
        )
        fill_isolated(copy, fill, self.instrument, self.size, -self.direction * quantity)
        copy.balance(fill.fee_currency).cash -= fill.fee
        after = assess(copy, self.market.reference, self.market.prices)
        return after.isolated.get(self.own.key)

    def _passes(self, quantity: Decimal) -> bool:
        """RD-7, on the position: no change of sign, no larger requirement, no lower ratio."""
        after = self._after(quantity)
        if after is None:
            return True
        if after.quantity * self.held.quantity < 0 or after.requirement > self.own.requirement:
            return False
        if after.ratio is None or self.own.ratio is None:
            return after.ratio is None
        return after.ratio >= self.own.ratio - _ROUNDING * abs(self.own.ratio)

    def _fee(self, quantity: Decimal) -> Decimal:
        """The taker fee in the settle (quote) coin; it leaves the account's cash."""
        return trade_value(self.instrument, self.size, quantity, self.own.mark) * self.taker

    def _notional(self, quantity: Decimal) -> Decimal:
        return notional_usd(self.instrument, self.size, quantity, self.own.mark, self.settle_price)

    # -- what is commanded --------------------------------------------------------------------

    def _must_be_taken_over(self) -> bool:
        """RD-7: whether closing all at mark, fee paid, leaves own equity ≤ 0, or the setting asks."""
        if self.own.equity - self._fee(self.whole) * self.settle_price <= 0:
            return True
        if not self.market.reference.policy.takeover_at_first_tier:
            return False
        return self.own.equity < self._first_tier_requirement()

    def _first_tier_requirement(self) -> Decimal:
        """MR-3's denominator at the first tier's rate."""
        notional = self.own.notional_usd
        if not self.on_margin:
            return notional * (self.instrument.position_tiers[0].maintenance + self.taker)
        owed = self.held.liability_currency
        tiers = self.market.reference.currencies[owed].borrow_tiers if owed else ()
        rate = tiers[0].maintenance if tiers else ZERO
        return notional * (rate + (ONE + rate) * self.taker)

    def _bankruptcy_price(self) -> Decimal | None:
        return isolated_bankruptcy_price(self.held, self.instrument, self.size)

    def _plan(self, quantity: Decimal, left: Mapping[str, Decimal], *, cut: bool) -> Plan:
        after = self._after(quantity)
        name = self.held.instrument
        notional = self._notional(quantity)
        action = Action(
            action="close",
            instrument=name,
            side="sell" if self.direction > 0 else "buy",
            position_side=self.held.side,
            quantity=quantity,
            notional_usd=notional,
            from_tier=self.own.tier or None,
            to_tier=(after.tier or None) if after is not None else None,
            bankruptcy_price=self._bankruptcy_price(),
            fee_usd=self._fee(quantity) * self.settle_price,
            capped_usd=left.get(name) if cut else None,
            why="its own ratio",
        )
        return Plan(
            "full" if after is None else "tier",
            (action,),
            after.ratio if after is not None else None,
            ("MR-3", "RD-3", "RD-6", "RD-7"),
            self.own.symbols,
            ((name, notional),),
            cut,
        )

    def _take_over(self) -> Plan:  # RD-7
        """Hand the whole over at the price that leaves own equity at 0; no fee, no cap."""
        action = Action(
            action="takeover",
            instrument=self.held.instrument,
            side="sell" if self.direction > 0 else "buy",
            position_side=self.held.side,
            quantity=self.whole,
            notional_usd=self._notional(self.whole),
            from_tier=self.own.tier or None,
            bankruptcy_price=self._bankruptcy_price() or self.instrument.tick,
        )
        return Plan("takeover", (action,), None, ("MR-3", "RD-7"), self.own.symbols)
