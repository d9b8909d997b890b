"""Steps that take two legs at once: opposite sides of a contract, delta-neutral pairs (RD-2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal

from monitor.exact import ZERO
from monitor.prices import MissingPrice
from monitor.reduction.bench import Bench
from monitor.reduction.legs import Leg, SizedStep, tier_passings
from monitor.reduction.moves import Close, lots_down

__all__ = ["Pair", "delta_neutral_pairs", "opposite_moves", "pair_step"]

Pair = tuple[Leg, Leg]
"""(long leg, short leg) on one underlying."""


def opposite_moves(legs: Sequence[Leg]) -> list[Close]:
    """RD-2 (a): net both sides of each contract by the smaller, at mark, no fee and no lots."""
    sides = {(leg.name, leg.side): leg for leg in legs}
    moves = []
    for leg in legs:
        other = sides.get((leg.name, "short")) if leg.side == "long" else None
        if other is not None:
            quantity = min(abs(leg.quantity), abs(other.quantity))
            moves += [leg.close(quantity, ZERO), other.close(quantity, ZERO)]
    return moves


def delta_neutral_pairs(bench: Bench, legs: Sequence[Leg]) -> Iterator[Pair]:
    """RD-2 (b): yield each underlying's largest long and short leg, largest USD delta first."""
    ranked = []
    for underlying in sorted({leg.instrument.underlying for leg in legs}):
        mine = [leg for leg in legs if leg.instrument.underlying == underlying]
        longs = [leg for leg in mine if leg.direction > 0]
        shorts = [leg for leg in mine if leg.direction < 0]
        if not longs or not shorts:
            continue
        pair = (_largest(longs), _largest(shorts))
        try:
            index = bench.index(underlying)
        except MissingPrice:
            continue
        ranked.append((-min(abs(leg.delta) for leg in pair) * index, underlying, pair))
    ranked.sort(key=lambda item: item[:2])
    yield from (pair for _, _, pair in ranked)


def _largest(legs: Sequence[Leg]) -> Leg:
    return min(legs, key=lambda leg: (-abs(leg.delta), leg.name))


def pair_step(pair: Pair) -> SizedStep | None:
    """RD-2 (b): equal |delta| off both legs; `None` when not one lot of each fits.

    The leg whose lot has the larger delta is counted in lots (ties: the long one); the other takes
    the nearest number of lots that its own tier step allows.
    """
    long, short = pair
    by_lot = [leg.unit_delta * leg.instrument.lot for leg in pair]
    first, second = (long, short) if by_lot[0] >= by_lot[1] else (short, long)
    coarse, fine = max(by_lot), min(by_lot)
    most = min(leg.unit_delta * leg.step for leg in pair)
    count = int(lots_down(most, coarse))
    fine_most = lots_down(second.step, second.instrument.lot)
    if count < 1 or fine_most < 1:
        return None

    def first_contracts(lots: int) -> Decimal:
        return lots * first.instrument.lot

    def second_contracts(lots: int) -> Decimal:
        nearest = (lots * coarse / fine).to_integral_value(ROUND_HALF_UP)
        return min(nearest, fine_most) * second.instrument.lot

    passed = []
    offs = {first.key: first_contracts, second.key: second_contracts}
    if first.group == second.group:

        def both(lots: int) -> Decimal:
            return first_contracts(lots) + second_contracts(lots)

        passed = [(gap, both) for gap in tier_passings(first, both(count))]
    else:
        for leg in (first, second):
            taken = offs[leg.key]
            passed += [(gap, taken) for gap in tier_passings(leg, taken(count))]
    return SizedStep(
        count,
        lambda lots: (
            first.close(first_contracts(lots)),
            second.close(second_contracts(lots)),
        ),
        tuple(passed),
    )
