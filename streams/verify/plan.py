"""The next reduction step of an account, planned a second time from the rules (RD)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from monitor.exact import ONE, ZERO
from streams.verify.debts import repay_debt, same_coin_repayment
from streams.verify.situation import Leg, Planned, Situation, Step, ceil_to
from streams.verify.tables import counts, group_sizes, tier_index, undiscounted
from streams.verify.takeover import closing_leaves_nothing, first_tier_uncovered, takeover

__all__ = ["Plan", "next_step"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The step, None when there is nothing to reduce, and the candidates it was chosen from."""

    step: Step | None
    ranked: list[str] = field(default_factory=list)


def next_step(situation: Situation) -> Plan:
    """Return the next step by phases, or the takeover (RD-1, RD-2, RD-7)."""
    if first_tier_uncovered(situation) or closing_leaves_nothing(situation):
        return Plan(takeover(situation), ["closing every leg leaves nothing"])
    tried: list[str] = []
    phases = (_same_coin, _debts) if situation.mode == "spot" else (_opposite, _neutral, _unhedged)
    for phase in phases:
        step = phase(situation, tried)
        if step is not None:
            return Plan(step, tried)
    return Plan(takeover(situation), tried)


def _first_admissible(situation: Situation, steps: list[Step], tried: list[str]) -> Step | None:
    for step in steps:
        good = situation.admissible(step)
        tried.append(f"{'' if good else 'RD-7 refuses '}{step.describe()}")
        if good:
            return step
    return None


def _same_coin(situation: Situation, tried: list[str]) -> Step | None:
    step = same_coin_repayment(situation)
    return _first_admissible(situation, [step] if step is not None else [], tried)


def _debt_steps(situation: Situation) -> list[Step]:
    owed = [name for name, coin in situation.before.coins.items() if coin.liability > 0]
    found = [repay_debt(situation, name) for name in sorted(owed)]
    return [step for step in found if step is not None]


def _debts(situation: Situation, tried: list[str]) -> Step | None:
    steps = sorted(_debt_steps(situation), key=Step.rank)
    return _first_admissible(situation, steps, tried)


def _opposite(situation: Situation, tried: list[str]) -> Step | None:
    """RD-2 (a): both sides of one contract, netted at mark without fee."""
    legs = {(leg.instrument, leg.side): leg for leg in situation.legs()}
    book, actions = situation.book.copy(), []
    for name in sorted({leg.instrument for leg in legs.values()}):
        long, short = legs.get((name, "long")), legs.get((name, "short"))
        if long is not None and short is not None:
            contracts = min(long.size, short.size)
            for leg in (long, short):
                situation.close(book, leg, contracts, fee=False)
                actions.append(_closing(situation, leg, contracts, free=True))
    if not actions:
        return None
    step = situation.step("opposite", tuple(actions), book, "opposite")
    return _first_admissible(situation, [step] if step is not None else [], tried)


def _closing(situation: Situation, leg: Leg, contracts: Decimal, *, free: bool = False) -> Planned:
    value = situation.value_of(leg, contracts)
    fee = situation.fee_of(leg, contracts) * (situation.index(leg.spec.settle or "") or ZERO)
    return Planned(
        "close",
        contracts,
        value,
        instrument=leg.instrument,
        side=leg.closing_side,
        position_side=leg.side,
        bankruptcy_price=_bankruptcy_price(situation, leg),
        fee_usd=ZERO if free else fee,
        from_tier=_tiers_after(situation, [(leg, ZERO)])[0] + 1,
    )


def _bankruptcy_price(situation: Situation, leg: Leg) -> Decimal | None:
    """Return the mark at which adjusted equity is 0, all else standing (RD-6)."""
    settle = leg.spec.settle or ""
    coin, spec = situation.before.coins[settle], situation.reference.currencies[settle]
    goal = undiscounted(
        spec,
        counts(situation.book, settle, situation.reference),
        coin.value - situation.before.adjusted_equity,
        coin.price,
    )
    if goal is None:
        return None
    change = goal - coin.equity
    held = sum(
        (p.quantity for (name, _), p in situation.book.positions.items() if name == leg.instrument),
        ZERO,
    )
    size = held * leg.spec.contract_value * leg.spec.multiplier
    if size == 0:
        return None
    if leg.spec.inverse:
        inverted = ONE / leg.mark - change / size
        return leg.rounded(ONE / inverted) if inverted > 0 else None
    price = leg.mark + change / size
    return leg.rounded(price) if price > 0 else None


def tier_step(situation: Situation, leg: Leg) -> Decimal:
    """Return the contracts of a leg's tier step, before lots (RD-3)."""
    sizes = group_sizes(situation.book, situation.before.opening, situation.reference)
    size, tiers = sizes[leg.spec.family, leg.spec.kind], leg.spec.position_tiers
    number = tier_index(tiers, size) + 1
    down = situation.policy.tier_steps_down
    if number <= down:
        return leg.size
    return min(leg.size, size - tiers[number - down - 1].up_to)


def rounded_step(situation: Situation, leg: Leg) -> Decimal:
    """Return the tier step up to the next lot, but never more than the leg."""
    return min(ceil_to(tier_step(situation, leg), leg.spec.lot), leg.size)


def _smallest(
    steps: Callable[[int], Step | None], tiers: Callable[[int], object], most: int, level: Decimal
) -> int:
    """RD-6: the fewest lots whose ratio is above `level`, interval by interval of equal tiers."""

    def passes(count: int) -> bool:
        step = steps(count)
        return step is not None and (step.after.ratio is None or step.after.ratio > level)

    start = 1
    while start <= most:
        end = _last_like(tiers, start, most)
        if passes(start):
            return start
        if passes(end):
            low, high = start + 1, end
            while low < high:
                middle = (low + high) // 2
                low, high = (low, middle) if passes(middle) else (middle + 1, high)
            return low
        start = end + 1
    return most


def _last_like(tiers: Callable[[int], object], start: int, most: int) -> int:
    """Return the last count up to `most` whose tiers are those of `start`."""
    kept = tiers(start)
    low, high = start, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if tiers(middle) == kept else (low, middle - 1)
    return low


def _tiers_after(situation: Situation, closed: list[tuple[Leg, Decimal]]) -> tuple[int, ...]:
    sizes = group_sizes(situation.book, situation.before.opening, situation.reference)
    for leg, contracts in closed:
        sizes[leg.spec.family, leg.spec.kind] -= contracts
    return tuple(
        tier_index(leg.spec.position_tiers, sizes[leg.spec.family, leg.spec.kind])
        for leg, _ in closed
    )


class _Pair:
    """RD-2 (b): a long and a short leg of one underlying, reduced by equal delta."""

    def __init__(self, situation: Situation, long: Leg, short: Leg) -> None:
        self.situation = situation
        lots = [(leg.delta_of(leg.spec.lot), leg) for leg in (long, short)]
        self.counted, self.other = (long, short) if lots[0][0] >= lots[1][0] else (short, long)
        self.long, self.short = long, short
        room = min(leg.delta_of(rounded_step(situation, leg)) for leg in (long, short))
        lot_delta = self.counted.delta_of(self.counted.spec.lot)
        self.most = int((room / lot_delta).to_integral_value(ROUND_FLOOR))
        self.size_usd = min(abs(long.delta), abs(short.delta)) * situation.underlying_price(long)

    def contracts(self, count: int) -> list[tuple[Leg, Decimal]]:
        """Return what `count` lots of the counted leg close on both."""
        own = count * self.counted.spec.lot
        lot = self.other.spec.lot
        lots = (self.counted.delta_of(own) / self.other.delta_of(lot)).to_integral_value(
            ROUND_HALF_UP
        )
        allowed = (rounded_step(self.situation, self.other) / lot).to_integral_value(ROUND_FLOOR)
        return [(self.counted, own), (self.other, min(lots, allowed) * lot)]

    def step(self, count: int) -> Step | None:
        """Return the step of `count` lots."""
        book, actions = self.situation.book.copy(), []
        for leg, contracts in self.contracts(count):
            if contracts <= 0:
                return None
            self.situation.close(book, leg, contracts)
            actions.append(_closing(self.situation, leg, contracts))
        name = f"{self.long.instrument} with {self.short.instrument}"
        return self.situation.step("delta_neutral", tuple(actions), book, name)


def _neutral(situation: Situation, tried: list[str]) -> Step | None:
    by_underlying: dict[str, list[Leg]] = {}
    for leg in situation.legs():
        by_underlying.setdefault(leg.spec.underlying, []).append(leg)
    pairs: list[tuple[Decimal, str, _Pair]] = []
    for underlying, legs in by_underlying.items():
        longs = [leg for leg in legs if leg.delta > 0]
        shorts = [leg for leg in legs if leg.delta < 0]
        if longs and shorts:
            long = min(longs, key=lambda leg: (-abs(leg.delta), leg.name))
            short = min(shorts, key=lambda leg: (-abs(leg.delta), leg.name))
            pair = _Pair(situation, long, short)
            pairs.append((-pair.size_usd, underlying, pair))
    for _, _, pair in sorted(pairs, key=lambda item: item[:2]):
        if pair.most < 1:
            continue
        whole = pair.step(pair.most)
        if _first_admissible(situation, [whole] if whole is not None else [], tried) is None:
            continue
        count = _smallest(
            pair.step,
            lambda n, p=pair: _tiers_after(situation, p.contracts(n)),  # type: ignore[misc]
            pair.most,
            situation.exit,
        )
        return pair.step(count)
    return None


class _Single:
    """One derivative leg, closed by lots up to its tier step."""

    def __init__(self, situation: Situation, leg: Leg) -> None:
        self.situation, self.leg = situation, leg
        limit = rounded_step(situation, leg)
        self.most = int((limit / leg.spec.lot).to_integral_value(ROUND_CEILING))

    def contracts(self, count: int) -> Decimal:
        """Return the contracts of `count` lots: never above the leg, which goes as a whole."""
        return min(count * self.leg.spec.lot, self.leg.size)

    def step(self, count: int) -> Step | None:
        """Return the step of `count` lots."""
        book, contracts = self.situation.book.copy(), self.contracts(count)
        self.situation.close(book, self.leg, contracts)
        action = _closing(self.situation, self.leg, contracts)
        delta = self.leg.delta_of(contracts) * self.situation.underlying_price(self.leg)
        return self.situation.step("unhedged", (action,), book, self.leg.name, delta)


def _unhedged(situation: Situation, tried: list[str]) -> Step | None:
    singles = {leg.name: _Single(situation, leg) for leg in situation.legs()}
    whole = [single.step(single.most) for single in singles.values()]
    steps = [step for step in whole if step is not None] + _debt_steps(situation)
    chosen = _first_admissible(situation, sorted(steps, key=Step.rank), tried)
    if chosen is None or chosen.name not in singles:
        return chosen
    single = singles[chosen.name]
    count = _smallest(
        single.step,
        lambda n: _tiers_after(situation, [(single.leg, single.contracts(n))]),
        single.most,
        situation.exit,
    )
    return single.step(count)
