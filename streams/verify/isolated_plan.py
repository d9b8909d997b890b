"""The next reduction step of one isolated position, by its own ratio (MR-3, RD-3, RD-4)."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from monitor.exact import ONE, ZERO
from monitor.schema import Instrument, PositionSide, Side
from streams.verify.apart import close_isolated, margin_for
from streams.verify.assessing import assess
from streams.verify.book import Isolated, place_of_key
from streams.verify.figures import Figures, Unpriced, nothing_there
from streams.verify.situation import Planned, Situation, Step, ceil_to, floor_to
from streams.verify.sizing import Plan, Sizes, sized
from streams.verify.tables import notional, tier_index

__all__ = ["isolated_step"]

_ROUNDING = Decimal("1e-30")
"""Relative."""


def isolated_step(situation: Situation, key: str) -> Plan:
    """Return the one close action that is due, or the takeover of what it owns."""
    held = situation.book.isolated.get(key)
    if held is None:
        return Plan(None, ["the position is gone"])
    leg = _Leg(situation, key, held)
    equity = situation.before.adjusted_equity
    if equity - leg.fee_usd(leg.size) <= 0:
        return Plan(leg.takeover(), ["closing it all leaves nothing"])
    if situation.policy.takeover_at_first_tier and equity < leg.first_tier_requirement():
        return Plan(leg.takeover(), ["less than its first tier asks"])
    return leg.plan()


class _Leg:
    """One isolated position about to be reduced."""

    def __init__(self, situation: Situation, key: str, held: Isolated) -> None:
        self.situation, self.key, self.held = situation, key, held
        self.instrument, side = place_of_key(key)
        self.side: PositionSide = "long" if side == "long" else "short"
        if side == "net":
            self.side = "net"
        self.spec: Instrument = situation.reference.instruments[self.instrument]
        self.spot = self.spec.kind == "spot"
        self.size = abs(held.quantity)
        self.quote = situation.index(self.spec.quote if self.spot else self.spec.settle or "")
        if self.spot:
            self.price = (situation.index(self.spec.underlying) or ZERO) / (self.quote or ONE)
        else:
            self.price = situation.quotes.mark(self.instrument) or ZERO
        self.closing: Side = "sell" if held.quantity > 0 else "buy"

    def value(self, quantity: Decimal) -> Decimal:
        """Return the USD of some contracts (base coins) at mark (index)."""
        if self.spot:
            return quantity * (self.situation.index(self.spec.underlying) or ZERO)
        return notional(self.spec, quantity, self.price, self.quote or ZERO)

    def fee_usd(self, quantity: Decimal) -> Decimal:
        """Return the taker fee of closing some of it: what is paid in coin, at the coin's index."""
        fees = self.situation.fees
        taker = fees.spot_taker if self.spot else fees.derivative_taker
        return margin_for(self.spec, quantity, self.price, ONE) * taker * (self.quote or ZERO)

    def first_tier_requirement(self) -> Decimal:
        """Return its maintenance and fee as if it were in the first tier (RD-7)."""
        fees, situation = self.situation.fees, self.situation
        if not self.spot:
            rate = self.spec.position_tiers[0].maintenance + fees.derivative_taker
            return self.value(self.size) * rate
        coin = self.held.liability_currency
        owed = (self.held.liability + self.held.interest) * (situation.index(coin) or ZERO)
        tiers = situation.reference.currencies[coin].borrow_tiers
        rate = tiers[0].maintenance if tiers else ZERO
        return owed * (rate + (ONE + rate) * fees.spot_taker)

    # Size (RD-3, RD-6) -------------------------------------------------------------------------

    def plan(self) -> Plan:
        """Return the close of the fewest lots that suffice; of a debt always the tier step."""
        sizes = self._sizes(self._debt_step() if self.spot else self._tier_step())
        if self.spot:
            plan = Plan(sizes.step(sizes.most), [], sizes, sizes.most)
        else:
            plan = sized(self.situation, sizes, [])
        if plan.step is not None and self.passes(plan.step):
            return plan
        whole = self._sizes(self.size)  # RD-7: what does not get better by less goes altogether
        return Plan(whole.step(whole.most), [], whole, whole.most)

    def _sizes(self, limit: Decimal) -> Sizes:
        lot = self.spec.lot

        def tier(count: int) -> int:
            return self._tier(self.size - min(count * lot, limit)) if not self.spot else 0

        most = int((limit / lot).to_integral_value(ROUND_CEILING))
        return Sizes(most, lambda n: self._close(min(n * lot, limit)), tier, self.passes)

    def passes(self, step: Step) -> bool:
        """RD-7 on the position alone; a share of it keeps its ratio but for the 50th digit."""
        before, after = self.situation.before, step.after
        if after.requirement > before.requirement:
            return False
        if after.ratio is None or before.ratio is None:
            return after.ratio is None
        return after.ratio >= before.ratio - _ROUNDING * abs(before.ratio)

    def _tier(self, size: Decimal) -> int:
        return tier_index(self.spec.position_tiers, size)

    def _tier_step(self) -> Decimal:
        number, down = self._tier(self.size) + 1, self.situation.policy.tier_steps_down
        if number <= down:
            return self.size
        bound = self.spec.position_tiers[number - down - 1].up_to
        return min(ceil_to(self.size - bound, self.spec.lot), self.size)

    def _debt_step(self) -> Decimal:
        owed = self.held.liability + self.held.interest
        index = self._debt_tier()
        if index == 0 or owed == 0:
            return self.size
        tiers = self.situation.reference.currencies[self.held.liability_currency].borrow_tiers
        share = (owed - tiers[index - 1].up_to) / owed
        return min(ceil_to(self.size * share, self.spec.lot), self.size)

    def _debt_tier(self) -> int:
        currency = self.situation.reference.currencies.get(self.held.liability_currency)
        if currency is None or not currency.borrow_tiers:
            return 0
        return tier_index(currency.borrow_tiers, self.held.liability + self.held.interest)

    def _numbered(self, size: Decimal) -> int | None:
        """Return the tier of what is held, counted from 1; of a debt that has none nothing."""
        if not self.spot:
            return self._tier(size) + 1
        currency = self.situation.reference.currencies.get(self.held.liability_currency)
        if currency is None or not currency.borrow_tiers:
            return None
        owed = (self.held.liability + self.held.interest) * size / self.size
        return tier_index(currency.borrow_tiers, owed) + 1

    # Steps -------------------------------------------------------------------------------------

    def _close(self, quantity: Decimal) -> Step:
        book = self.situation.book.copy()
        close_isolated(book, self.key, self.held, self.spec, quantity, self.price)
        quote = self.spec.quote if self.spot else self.spec.settle or ""
        fee = self.fee_usd(quantity)
        book.move_cash(quote, -fee / (self.quote or ONE))
        found = assess(book, self.situation.quotes, self.situation.reference)
        after = nothing_there() if isinstance(found, Unpriced) else found.of(self.key)
        phase = "full" if quantity == self.size else "tier"
        return self._made(phase, "close", quantity, after, fee)

    def takeover(self) -> Step:
        """Return the takeover of it all at the price where its equity is 0, without fee."""
        return self._made("takeover", "takeover", self.size, nothing_there(), ZERO)

    def _made(
        self, phase: str, action: str, quantity: Decimal, after: Figures, fee: Decimal
    ) -> Step:
        left = self.size - quantity
        planned = Planned(
            action,
            quantity,
            self.value(quantity),
            instrument=self.instrument,
            side=self.closing,
            position_side=self.side,
            bankruptcy_price=self._bankruptcy_price(),
            from_tier=self._numbered(self.size),
            to_tier=self._numbered(left) if left > 0 else None,
            fee_usd=fee,
        )
        return Step(phase, (planned,), self.situation.book, after, self.situation.before, self.key)

    def _bankruptcy_price(self) -> Decimal | None:
        """Return the price at which its own equity is 0, rounded against the account."""
        price = self._zero_price()
        if price is None or price <= 0:
            return None
        away = ceil_to if self.held.quantity > 0 else floor_to
        return max(away(price, self.spec.tick), self.spec.tick)

    def _zero_price(self) -> Decimal | None:
        held = self.held
        if not self.spot:
            size = held.quantity * self.spec.contract_value * self.spec.multiplier
            margin = held.margin
            if self.spec.inverse:
                inverted = ONE / held.entry + margin / size
                return ONE / inverted if inverted > 0 else None
            return held.entry - margin / size
        # margin + quantity × (price − entry) − interest, each in quote coin or times the price
        moves, stands = held.quantity, -held.quantity * held.entry
        if held.margin_currency == self.spec.quote:
            stands += held.margin
        else:
            moves += held.margin
        if held.liability_currency == self.spec.quote:
            stands -= held.interest
        else:
            moves -= held.interest
        return -stands / moves if moves != 0 else None
