"""Derivative legs and their tier step (RD-2, RD-3), and steps that can be made smaller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from monitor.contracts import delta_in_coin
from monitor.exact import ZERO
from monitor.margin.derivative_orders import opening_parts
from monitor.reduction.bench import Bench
from monitor.reduction.moves import Close, Move, lots_up
from monitor.schema.events import PositionSide
from monitor.schema.reference import Instrument

__all__ = ["Leg", "SizedStep", "derivative_legs", "leg_step"]

Group = tuple[str, str]
"""(family, kind of instrument): what shares one tier (MM-2)."""


@dataclass(slots=True, frozen=True)
class Leg:
    """One cross derivative position, and how much of it one step may take."""

    key: str
    name: str
    instrument: Instrument
    size: Decimal
    """Contract value × multiplier."""
    side: PositionSide
    quantity: Decimal
    """Contracts, negative short."""
    mark: Decimal
    tier: int
    group: Group
    group_size: Decimal
    """Gross contracts of the group: positions and opening orders."""
    step: Decimal
    """RD-3: contracts of the tier step, rounded up to the lot, at most the leg."""
    taker: Decimal

    @property
    def direction(self) -> int:
        return 1 if self.quantity > 0 else -1

    @property
    def unit_delta(self) -> Decimal:
        """|Delta| of one contract in coin."""
        return delta_in_coin(self.instrument, self.size, Decimal(1), self.mark)

    @property
    def delta(self) -> Decimal:
        """Signed delta in coin."""
        return delta_in_coin(self.instrument, self.size, self.quantity, self.mark)

    def close(self, quantity: Decimal, taker: Decimal | None = None) -> Close:
        """Return the expected closing of `quantity` contracts at mark."""
        return Close(
            self.key,
            self.name,
            self.instrument,
            self.size,
            self.side,
            self.direction,
            quantity,
            self.mark,
            self.taker if taker is None else taker,
        )


@dataclass(slots=True, frozen=True)
class SizedStep:
    """A step of 1 to `count` lots; `count` lots are the tier step."""

    count: int
    moves: Callable[[int], Sequence[Move]]
    """Lots → expected fills."""
    passed: tuple[tuple[Decimal, Callable[[int], Decimal]], ...] = field(default=())
    """(contracts by which a tier bound is passed, lots → contracts taken off its group)."""


def derivative_legs(bench: Bench) -> list[Leg]:
    """Return every cross derivative position as a leg, in the order of instrument and side."""
    account, reference = bench.account, bench.reference
    sizes = _group_sizes(bench)
    legs = []
    for key in sorted(account.positions):
        position = account.positions[key]
        if not position.quantity:
            continue
        instrument = reference.instruments[position.instrument]
        figures = bench.figures.positions[key]
        group = (instrument.family, instrument.kind)
        legs.append(
            Leg(
                key,
                position.instrument,
                instrument,
                reference.sizes[position.instrument],
                position.side,
                position.quantity,
                figures.mark,
                figures.tier,
                group,
                sizes[group],
                _tier_step(
                    instrument,
                    figures.tier,
                    sizes[group],
                    abs(position.quantity),
                    bench.policy.tier_steps_down,
                ),
                bench.fees.derivative_taker,
            )
        )
    return legs


def _group_sizes(bench: Bench) -> dict[Group, Decimal]:
    """MM-2: gross contracts per family and kind, opening parts of orders included."""
    account, instruments = bench.account, bench.reference.instruments
    sizes: dict[Group, Decimal] = {}
    for position in account.positions.values():
        entry = instruments[position.instrument]
        group = (entry.family, entry.kind)
        sizes[group] = sizes.get(group, ZERO) + abs(position.quantity)
    orders = [
        order
        for _, order in sorted(account.orders.items())
        if instruments[order.instrument].kind != "spot"
    ]
    for order_id, opens in opening_parts(account, orders).items() if orders else ():
        entry = instruments[account.orders[order_id].instrument]
        group = (entry.family, entry.kind)
        sizes[group] = sizes.get(group, ZERO) + opens
    return sizes


def _tier_step(
    instrument: Instrument, tier: int, group_size: Decimal, held: Decimal, steps_down: int
) -> Decimal:
    """RD-3: contracts to the bound `steps_down` tiers below; the whole leg from the lowest tiers."""
    if tier <= steps_down:
        return held
    wanted = group_size - instrument.position_tiers[tier - steps_down - 1].up_to
    return min(held, lots_up(wanted, instrument.lot) * instrument.lot)


def tier_passings(leg: Leg, most: Decimal) -> tuple[Decimal, ...]:
    """Return the contracts to take off the leg's group to pass each tier bound within `most`."""
    gaps = (leg.group_size - tier.up_to for tier in leg.instrument.position_tiers)
    return tuple(gap for gap in gaps if ZERO < gap <= most)


def leg_step(leg: Leg) -> SizedStep:
    """RD-2 (c): the leg alone, in lots; the last one may be a part of a lot."""
    lot, step = leg.instrument.lot, leg.step

    def contracts(count: int) -> Decimal:
        return min(count * lot, step)

    return SizedStep(
        int(lots_up(step, lot)),
        lambda count: (leg.close(contracts(count)),),
        tuple((gap, contracts) for gap in tier_passings(leg, step)),
    )
