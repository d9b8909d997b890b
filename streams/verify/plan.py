"""The next reduction step of an account, planned a second time from the rules (RD)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from monitor.exact import ONE, ZERO
from streams.verify.book import is_inverse
from streams.verify.debts import debt_sizes, same_coin_repayment
from streams.verify.situation import Leg, Planned, Situation, Step, ceil_to
from streams.verify.sizing import Netting, Plan, Sizes, sized
from streams.verify.tables import counts, group_sizes, tier_index, undiscounted
from streams.verify.takeover import closing_leaves_nothing, first_tier_uncovered, takeover

__all__ = ["next_step"]


def next_step(situation: Situation) -> Plan:
    """Return the next step by phases, or the takeover (RD-1, RD-2, RD-7)."""
    if first_tier_uncovered(situation) or closing_leaves_nothing(situation):
        return Plan(takeover(situation), ["closing every leg leaves nothing"])
    tried: list[str] = []
    phases = (_same_coin, _debts) if situation.mode == "spot" else (_opposite, _neutral, _unhedged)
    for phase in phases:
        plan = phase(situation, tried)
        if plan is not None:
            return plan
    return Plan(takeover(situation), tried)


def _first_admissible(situation: Situation, steps: list[Step], tried: list[str]) -> Step | None:
    for step in steps:
        good = situation.admissible(step)
        tried.append(f"{'' if good else 'RD-7 refuses '}{step.describe()}")
        if good:
            return step
    return None


def _same_coin(situation: Situation, tried: list[str]) -> Plan | None:
    step = same_coin_repayment(situation)
    chosen = _first_admissible(situation, [step] if step is not None else [], tried)
    return Plan(chosen, tried) if chosen is not None else None


def _debt_sizes(situation: Situation) -> dict[str, Sizes]:
    """Return every debt that can be traded, in lots of its first trade."""
    owed = [name for name, coin in situation.before.coins.items() if coin.liability > 0]
    found = {name: debt_sizes(situation, name) for name in sorted(owed)}
    return {name: sizes for name, sizes in found.items() if sizes is not None}


def _debts(situation: Situation, tried: list[str]) -> Plan | None:
    return _ranked(situation, _debt_sizes(situation), tried)


def _ranked(situation: Situation, sizes: Mapping[str, Sizes], tried: list[str]) -> Plan | None:
    """Take the best tier step that passes RD-7; of debts it stands unless `smallest` is set."""
    whole = [one.step(one.most) for one in sizes.values()]
    steps = sorted((step for step in whole if step is not None), key=Step.rank)
    chosen = _first_admissible(situation, steps, tried)
    if chosen is None:
        return None
    own = sizes[chosen.name]
    if chosen.name in situation.before.coins and situation.policy.debt_size == "tier_step":
        return Plan(chosen, tried, own, own.most)
    return sized(situation, own, tried)


def _opposite(situation: Situation, tried: list[str]) -> Plan | None:
    """RD-2 (a): both sides of one contract, netted at mark without fee; not of options."""
    legs = {(leg.instrument, leg.side): leg for leg in situation.legs() if not leg.is_option}
    names = sorted({name for name, side in legs if side == "long" and (name, "short") in legs})
    sides = {name: (legs[name, "long"], legs[name, "short"]) for name in names}
    if not sides:
        return None

    def step(contracts: Mapping[str, Decimal]) -> Step | None:
        book, actions = situation.book.copy(), []
        for name, amount in contracts.items():
            for leg in sides[name]:
                situation.close(book, leg, amount, fee=False)
                actions.append(_closing(situation, leg, amount, free=True))
        return situation.step("opposite", tuple(actions), book, "opposite")

    most = {name: min(long.size, short.size) for name, (long, short) in sides.items()}
    whole = step(most)
    chosen = _first_admissible(situation, [whole] if whole is not None else [], tried)
    if chosen is None:
        return None
    lots = {name: long.spec.lot for name, (long, _) in sides.items()}
    return Plan(chosen, tried, netting=Netting(most, lots, step))


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
    if is_inverse(leg.spec):
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

    def sizes(self) -> Sizes:
        """Return the step in lots of the counted leg."""
        return Sizes(
            self.most,
            self.step,
            lambda n: _tiers_after(self.situation, self.contracts(n)),
            self.situation.admissible,
        )


def _neutral(situation: Situation, tried: list[str]) -> Plan | None:
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
        if _first_admissible(situation, [whole] if whole is not None else [], tried) is not None:
            return sized(situation, pair.sizes(), tried)
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

    def sizes(self) -> Sizes:
        """Return the step in lots."""
        return Sizes(
            self.most,
            self.step,
            lambda n: _tiers_after(self.situation, [(self.leg, self.contracts(n))]),
            self.situation.admissible,
        )


def _unhedged(situation: Situation, tried: list[str]) -> Plan | None:
    legs = {leg.name: _Single(situation, leg).sizes() for leg in situation.legs()}
    return _ranked(situation, legs | _debt_sizes(situation), tried)
