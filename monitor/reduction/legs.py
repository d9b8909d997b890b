"""Derivative legs and their tier step (RD-2 to RD-4), and steps that can be made smaller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from monitor.contracts import delta_in_coin, notional_usd
from monitor.exact import ONE, ZERO
from monitor.margin.derivative_orders import opening_parts
from monitor.margin.options import forward_mark
from monitor.options import coin_delta
from monitor.prices import MissingPrice
from monitor.reduction.moves import Close, Move, lots_up
from monitor.reduction.trial import Trial, settle_of
from monitor.schema.events import PositionSide
from monitor.schema.reference import Instrument

__all__ = ["Leg", "SizedStep", "derivative_legs", "leg_step", "tier_passings", "tier_step"]

Group = tuple[str, str]
"""(family, kind of instrument): what shares one tier (MM-2)."""


@dataclass(slots=True, frozen=True)
class Leg:
    """One cross position that can be reduced, and how much of it one step may take."""

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
    long_delta: Decimal
    """Delta in coin of one contract when long: negative of a put, 0 far out of the money."""
    contract_usd: Decimal
    """Notional of one contract in USD at mark, of an option at the index (MM-2)."""
    underlying_usd: Decimal
    """One coin of the underlying in USD: its index, or the mark where it has none."""

    @property
    def direction(self) -> int:
        return 1 if self.quantity > 0 else -1

    @property
    def is_option(self) -> bool:
        return self.instrument.kind == "option"

    @property
    def unit_delta(self) -> Decimal:
        """|Delta| of one contract in coin."""
        return abs(self.long_delta)

    @property
    def delta(self) -> Decimal:
        """Signed delta in coin; of a short put positive."""
        if self.is_option:
            return self.quantity * self.long_delta
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
            self.contract_usd,
        )


@dataclass(slots=True, frozen=True)
class SizedStep:
    """A step of 1 to `count` lots; `count` lots are the tier step."""

    count: int
    moves: Callable[[int], Sequence[Move]]
    """Lots → expected fills."""
    passed: tuple[tuple[Decimal, Callable[[int], Decimal]], ...] = field(default=())
    """(contracts by which a tier bound is passed, lots → contracts taken off its group)."""


def derivative_legs(trial: Trial) -> list[Leg]:
    """Return the cross positions that may be reduced, in the order of instrument and side.

    Long options are none (RD-4).
    """
    reference = trial.reference
    sizes = _group_sizes(trial)
    legs = []
    for key, position in sorted(trial.account.positions.items()):
        quantity, name = position.quantity, position.instrument
        instrument, size = reference.instruments[name], reference.sizes[name]
        if not quantity or (quantity > 0 and instrument.kind == "option"):  # RD-4
            continue
        figures = trial.figures.positions[key]
        group = (instrument.family, instrument.kind)
        steps_down = trial.policy.tier_steps_down
        legs.append(
            Leg(
                key,
                name,
                instrument,
                size,
                position.side,
                quantity,
                figures.mark,
                figures.tier,
                group,
                sizes[group],
                tier_step(instrument, figures.tier, sizes[group], abs(quantity), steps_down),
                trial.fees.derivative_taker,
                _long_delta(trial, instrument, size, figures.mark),
                _contract_usd(trial, instrument, size, figures.mark),
                _underlying_usd(trial, instrument, figures.mark),
            )
        )
    return legs


def _long_delta(trial: Trial, instrument: Instrument, size: Decimal, mark: Decimal) -> Decimal:
    """RD-2: return the delta in coin of one contract when long; options by Black-76."""
    if instrument.kind != "option":
        return delta_in_coin(instrument, size, ONE, mark)
    found = forward_mark(instrument, trial.reference, trial.prices)
    forward = found[1] if found is not None else trial.index(instrument.underlying)
    return size * coin_delta(instrument, mark, forward, trial.market.now)


def _contract_usd(trial: Trial, instrument: Instrument, size: Decimal, mark: Decimal) -> Decimal:
    if instrument.kind == "option":
        return notional_usd(instrument, size, ONE, trial.index(instrument.underlying), ONE)
    settle_price = trial.figures.currencies[settle_of(instrument)].price
    return notional_usd(instrument, size, ONE, mark, settle_price)


def _underlying_usd(trial: Trial, instrument: Instrument, mark: Decimal) -> Decimal:
    """A swap needs no index of its underlying (PX-3): without one its mark is as good."""
    try:
        return trial.index(instrument.underlying)
    except MissingPrice:
        return mark if instrument.inverse else mark * trial.index(settle_of(instrument))


def _group_sizes(trial: Trial) -> dict[Group, Decimal]:
    """MM-2: contracts per family and kind, opening parts of orders included; of options short ones."""
    account, instruments = trial.account, trial.reference.instruments
    sizes: dict[Group, Decimal] = {}

    def add(name: str, contracts: Decimal, *, long: bool) -> None:
        entry = instruments[name]
        group = (entry.family, entry.kind)
        counted = ZERO if long and entry.kind == "option" else abs(contracts)
        sizes[group] = sizes.get(group, ZERO) + counted

    for position in account.positions.values():
        add(position.instrument, position.quantity, long=position.quantity > 0)
    orders = [
        order
        for _, order in sorted(account.orders.items())
        if order.margin_mode == "cross" and instruments[order.instrument].kind != "spot"
    ]
    for order_id, opens in opening_parts(account, orders).items() if orders else ():
        order = account.orders[order_id]
        add(order.instrument, opens, long=order.side == "buy")
    return sizes


def tier_step(
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
