"""MR3, MR4, MR5, MR7 and MR9 of one unit (PM-3, PM-5), and its charges in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import combinations

from monitor.exact import ONE, ZERO
from monitor.margin.portfolio.figures import Charges
from monitor.margin.portfolio.grid import (
    Grid,
    bucket_of,
    days_between,
    marginal,
)
from monitor.margin.portfolio.holdings import Held
from monitor.margin.portfolio.scenarios import Moved
from monitor.schema.portfolio import StablecoinRow, Tenor
from monitor.schema.reference import Instrument

__all__ = [
    "PAIRS",
    "YEAR_DAYS",
    "MissingParameter",
    "charges_of",
    "peg",
    "quoted_in",
    "table_row",
    "tenor_pairs",
]

YEAR_DAYS = 365

PAIRS = (("USDT", "USD"), ("USDT", "USDC"), ("USDC", "USD"))
"""MR9: which legs are set against each other, in this order."""


class MissingParameter(Exception):
    """Raised when a unit needs a parameter that its set does not give; carries its name."""


def charges_of(
    grid: Grid, held: Sequence[Held], moved: Moved, moment: int, indices: Mapping[str, Decimal]
) -> Charges:
    """Return the charges; `indices`: stablecoin → USD. Raises `MissingParameter`."""
    if grid.unit.volatility_shocks is None and _options(held):
        raise MissingParameter("volatility_shocks")
    return Charges(
        mr1=max(ZERO, -moved.worst.pnl),
        mr2=max(ZERO, -moved.decay),
        mr3=_term_volatility(grid, held, moment),
        mr4=_basis(grid, held, moment),
        mr5=_rates(grid, held, moment),
        mr6=grid.extreme_share * max(ZERO, -moved.extreme.pnl),
        mr7=_minimum(grid, held),
        mr9=_stablecoins(grid, held, indices),
    )


def _options(held: Sequence[Held]) -> list[Held]:
    return [one for one in held if one.contract.is_option and one.net]


def _days(one: Held, moment: int) -> Decimal:
    return days_between(moment, one.contract.instrument.expiry or 0)


# -- MR3, MR5: options by tenor --------------------------------------------------------------------


def _term_volatility(grid: Grid, held: Sequence[Held], moment: int) -> Decimal:
    """MR3: |vega| × shock by bucket; opposite ones offset by the table, the nearest tenors first."""
    options, tenors = _options(held), grid.unit.tenors
    if not options:
        return ZERO
    if tenors is None:
        raise MissingParameter("tenors")
    charges = [ZERO] * len(tenors)
    slack = ZERO
    for one in options:
        number = bucket_of(tenors, _days(one, moment))
        charges[number] += one.net * one.contract.risk.vega * tenors[number].shock
        slack += abs(one.net) * one.contract.risk.slack * tenors[number].shock
    return _offset(charges, tenors) + slack


def _offset(charges: list[Decimal], tenors: Sequence[Tenor]) -> Decimal:
    """Return what is left of the charges when opposite ones are set against each other."""
    left = list(charges)
    for short, long in tenor_pairs(len(charges)):
        if left[short] * left[long] >= 0:
            continue
        share = tenors[long].offsets[short]
        used = share * min(abs(left[short]), abs(left[long]))
        left[short] += used if left[short] < 0 else -used
        left[long] += used if left[long] < 0 else -used
    return sum((abs(one) for one in left), ZERO)


def tenor_pairs(count: int) -> list[tuple[int, int]]:
    """Return (shorter, longer) of the buckets that are set off, the nearest and shortest first."""
    return sorted(combinations(range(count), 2), key=lambda pair: (pair[1] - pair[0], pair))


def _rates(grid: Grid, held: Sequence[Held], moment: int) -> Decimal:
    """MR5: |rho| × shock by bucket, none offsetting another."""
    options, shocks = _options(held), grid.unit.rate_shocks
    if not options:
        return ZERO
    if shocks is None:
        raise MissingParameter("rate_shocks")
    rhos = [ZERO] * len(shocks)
    slack = ZERO
    for one in options:
        number = bucket_of(shocks, _days(one, moment))
        rhos[number] += one.net * one.contract.risk.rho
        slack += abs(one.net) * one.contract.risk.slack * shocks[number].shock
    return sum((abs(rho) * s.shock for rho, s in zip(rhos, shocks, strict=True)), ZERO) + slack


# -- MR4, MR7: by delta at the mark ----------------------------------------------------------------


def _basis(grid: Grid, held: Sequence[Held], moment: int) -> Decimal:
    """MR4: each perpetual by itself; futures and options of one expiry offset one another."""
    total = ZERO
    by_expiry: dict[int, tuple[Decimal, Decimal]] = {}
    for one in held:
        risk, expiry = one.contract.risk, one.contract.instrument.expiry
        delta = one.net * risk.delta
        if one.contract.instrument.kind == "swap":
            total += abs(delta) * grid.unit.basis_perpetual
            continue
        known = by_expiry.get(expiry or 0, (ZERO, ZERO))
        by_expiry[expiry or 0] = (known[0] + delta, known[1] + abs(one.net) * risk.slack)
    for expiry, (delta, slack) in sorted(by_expiry.items()):
        days = days_between(moment, expiry)
        total += (abs(delta) + slack) * grid.unit.basis_yearly * days / YEAR_DAYS
    return total


def _minimum(grid: Grid, held: Sequence[Held]) -> Decimal:
    """MR7."""
    unit, raw = grid.unit, ZERO
    for one in held:
        each = abs(one.contract.risk.delta) * unit.minimum_charge
        if one.contract.is_option:
            if unit.option_minimum is None:
                raise MissingParameter("option_minimum")
            least = one.contract.index * unit.option_minimum
            each = max(each + one.contract.risk.slack * unit.minimum_charge, least)
        raw += one.gross * each
    return marginal(raw, ((tier.up_to, tier.factor) for tier in unit.minimum_scale))


# -- MR9 -------------------------------------------------------------------------------------------


def quoted_in(instrument: Instrument) -> str:
    """MR9: return the leg a contract belongs to: its quote, USD where it settles in the coin."""
    in_coin = instrument.inverse or instrument.settle == instrument.underlying
    return "USD" if in_coin else instrument.quote


def _legs(held: Sequence[Held]) -> dict[str, Decimal]:
    """MR9: return the delta in USD of each leg."""
    legs: dict[str, Decimal] = {}
    for one in held:
        name = quoted_in(one.contract.instrument)
        legs[name] = legs.get(name, ZERO) + one.net * one.contract.risk.delta
    return legs


def _stablecoins(grid: Grid, held: Sequence[Held], indices: Mapping[str, Decimal]) -> Decimal:
    """MR9: what legs of two stablecoins hedge of each other, by the size table of the pair's index."""
    left, total = _legs(held), ZERO
    for first, second in PAIRS:
        a, b = left.get(first, ZERO), left.get(second, ZERO)
        if a * b >= 0:
            continue
        table = grid.unit.stablecoin_table
        if table is None:
            raise MissingParameter("stablecoin_table")
        hedged = min(abs(a), abs(b))
        left[first] += hedged if a < 0 else -hedged
        left[second] += hedged if b < 0 else -hedged
        row = table_row(table, peg(indices.get(first, ONE), indices.get(second, ONE)))
        total += marginal(hedged, ((tier.up_to, tier.rate) for tier in row.tiers))
    return total


def peg(first: Decimal, second: Decimal) -> Decimal:
    """Return the pair's index, or its inverse where that is lower: both ways from 1 count."""
    return min(first / second, second / first)


def table_row(table: Sequence[StablecoinRow], index: Decimal) -> StablecoinRow:
    """Return the row of a pair's index; the last one reaches to 0."""
    return next(row for row in table if index >= row.index)
