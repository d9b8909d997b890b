"""Steps that take two legs at once: opposite sides of a contract, delta-neutral pairs (RD-2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal

from monitor.exact import ZERO
from monitor.reduction.legs import Leg, SizedStep, tier_passings
from monitor.reduction.moves import Move, lots_down, lots_up

__all__ = ["Pair", "delta_neutral_pairs", "opposite_steps", "pair_step"]

Pair = tuple[Leg, Leg]
"""(long leg, short leg) on one underlying."""


def opposite_steps(legs: Sequence[Leg]) -> list[SizedStep]:
    """RD-2 (a): net both sides of each contract by the smaller, at mark, without a fee.

    Never of options, whose long side is no leg (RD-4). The whole is netted whatever the lot; the
    lots count for the caps alone.
    """
    sides = {(leg.name, leg.side): leg for leg in legs}
    steps = []
    for leg in legs:
        other = sides.get((leg.name, "short")) if leg.side == "long" else None
        if other is not None:
            steps.append(_netting(leg, other))
    return steps


def _netting(long: Leg, short: Leg) -> SizedStep:
    lot, most = long.instrument.lot, min(abs(long.quantity), abs(short.quantity))

    def moves(lots: int) -> Sequence[Move]:
        contracts = min(lots * lot, most)
        return long.close(contracts, ZERO), short.close(contracts, ZERO)

    return SizedStep(int(lots_up(most, lot)), moves)


def delta_neutral_pairs(legs: Sequence[Leg]) -> Iterator[Pair]:
    """RD-2 (b): yield each underlying's largest long and short leg, largest USD delta first.

    Long and short are by delta: a short put is a long leg.
    """
    ranked = []
    for underlying in sorted({leg.instrument.underlying for leg in legs}):
        mine = [leg for leg in legs if leg.instrument.underlying == underlying]
        longs = [leg for leg in mine if leg.delta > 0]
        shorts = [leg for leg in mine if leg.delta < 0]
        if not longs or not shorts:
            continue
        pair = (_largest(longs), _largest(shorts))
        delta_usd = min(abs(leg.delta) for leg in pair) * pair[0].underlying_usd
        ranked.append((-delta_usd, underlying, pair))
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
