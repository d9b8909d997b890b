"""Risk units explained: what a unit asks, down to each contract in the worst scenario (PM-1 to PM-5).

What the value model says of an option, rounded as it is used, is an input here: it stands with the
forward, the volatility and the time it was worked out from.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from monitor.explain.charges import (
    basis,
    minimum_charge,
    rate_risk,
    stablecoin_hedge,
    term_volatility,
)
from monitor.explain.contract import amount_of, slack_of_unit
from monitor.explain.node import Node, figure, given, total
from monitor.explain.sheet import Sheet
from monitor.margin.portfolio.contracts import LEAST
from monitor.margin.portfolio.figures import VOLATILITY_MOVES, RiskUnitFigures
from monitor.margin.portfolio.holdings import Held

__all__ = ["initial_of_unit", "maintenance_of_unit"]


def maintenance_of_unit(sheet: Sheet, underlying: str) -> Node:
    """PM-2."""
    unit = sheet.figures.risk_units[underlying]

    def tell(name: str) -> Node:
        return figure(
            name,
            "USD",
            "PM-2",
            "max(max({0}, {1}, {2}) + {3} + {4} + {5} + {6}, {7})",
            _spot_and_volatility(sheet, unit),
            _time(unit),
            _extreme(sheet, unit),
            term_volatility(unit),
            basis(unit),
            rate_risk(unit),
            stablecoin_hedge(sheet, unit),
            minimum_charge(sheet, unit),
            label=f"unit {underlying}",
        )

    return sheet.once(f"maintenance margin of unit {underlying}", tell)


def initial_of_unit(sheet: Sheet, underlying: str) -> Node:
    """PM-2."""
    unit = sheet.figures.risk_units[underlying]
    factor = given("initial factor", unit.grid.initial_factor, "", "reference set", "PM-2")
    name = f"initial margin of unit {underlying}"
    whole = maintenance_of_unit(sheet, underlying)
    return figure(name, "USD", "PM-2", "{0} × {1}", factor, whole, label=f"unit {underlying}")


def _spot_and_volatility(sheet: Sheet, unit: RiskUnitFigures) -> Node:
    """MR1: the scenario that loses most."""
    worst = unit.worst
    number = VOLATILITY_MOVES.index(worst.volatility)
    place = unit.grid.shocks.index(worst.spot)
    each = [one.contract.risk.pnl[number][place] for one in unit.held]
    exact = not worst.spot and worst.volatility == "same"
    at = f"at {_percent(worst.spot)} and volatility {worst.volatility}"
    pnl = _pnl(sheet, unit, each, worst.spot, at, exact=exact)
    return figure(f"MR1 of {unit.underlying}", "USD", "PM-3", "max(0, −{0})", pnl, label="MR1")


def _extreme(sheet: Sheet, unit: RiskUnitFigures) -> Node:
    """MR6."""
    place = unit.grid.extremes.index(unit.extreme.spot)
    each = [one.contract.risk.extremes[place] for one in unit.held]
    at = f"at {_percent(unit.extreme.spot)}"
    pnl = _pnl(sheet, unit, each, unit.extreme.spot, at, exact=False)
    share = given("extreme share", unit.grid.extreme_share, "", "reference set", "PM-3")
    name = f"MR6 of {unit.underlying}"
    return figure(name, "USD", "PM-3", "{0} × max(0, −{1})", share, pnl, label="MR6")


def _pnl(
    sheet: Sheet,
    unit: RiskUnitFigures,
    each: Sequence[Decimal],
    shock: Decimal,
    at: str,
    *,
    exact: bool,
) -> Node:
    """The unit's PnL under one move: contracts, spot in use, less the value model's error."""
    index = sheet.index(unit.underlying)
    moves = given("move of the index", shock, "", "reference set", "PM-4")
    parts = [
        _of_contract(one, _of_one(sheet, one, gain, at, index, moves), at)
        for one, gain in zip(unit.held, each, strict=True)
        if one.net
    ]
    coin = given(f"{unit.underlying} in use", unit.spot_in_use, unit.underlying, "book", "PM-1")
    name = f"spot {unit.underlying} {at}"
    parts.append(figure(name, "USD", "PM-1", "{0} × {1} × {2}", coin, index, moves, label="spot"))
    whole = total(f"contracts and spot of {unit.underlying} {at}", "USD", "PM-3", parts)
    off = slack_of_unit(unit) if not exact else given("no error", Decimal(0), "USD", "no move")
    return figure(f"PnL of {unit.underlying} {at}", "USD", "PM-3", "{0} − {1}", whole, off)


def _of_contract(one: Held, each: Node, at: str) -> Node:
    name = one.contract.name
    return figure(f"{name} {at}", "USD", "PM-3", "{0} × {1}", amount_of(one), each, label=name)


def _of_one(sheet: Sheet, one: Held, gain: Decimal, at: str, index: Node, moves: Node) -> Node:
    """PM-5: the PnL of one unit of a contract when the index moves."""
    if one.contract.is_option:
        return _by_model(one, gain, at)
    name = f"PnL of one unit of {one.contract.name} {at}"
    if not one.contract.instrument.inverse:
        return figure(name, "USD", "PM-5", "{0} × {1}", index, moves)
    mark = sheet.mark(one.contract.name)
    least = given("least share of a mark", LEAST, "", "its basis never takes it below", "PM-5")
    formula = "(1 / {0} − 1 / max({0} + {1} × {2}, {0} × {3})) × {1} × (1 + {2})"
    return figure(name, "USD", "PM-5", formula, mark, index, moves, least)


def _by_model(one: Held, gain: Decimal, at: str) -> Node:
    source = f"Black-76, implied volatility {one.contract.risk.implied_volatility}"
    return given(f"PnL of one unit of {one.contract.name} {at}", gain, "USD", source, "PM-4")


def _time(unit: RiskUnitFigures) -> Node:
    """MR2: the options alone, when the days pass at each volatility."""
    options = [one for one in unit.held if one.contract.is_option and one.net]
    name = f"MR2 of {unit.underlying}"
    if not options:
        return total(name, "USD", "PM-3", [], label="MR2")
    days = unit.grid.unit.days
    passed = []
    for number, move in enumerate(VOLATILITY_MOVES):
        at = f"after {days} days at volatility {move}"
        parts = [
            _of_contract(one, _by_model(one, one.contract.risk.decay[number], at), at)
            for one in options
        ]
        passed.append(total(f"options of {unit.underlying} {at}", "USD", "PM-3", parts))
    return figure(
        name,
        "USD",
        "PM-3",
        "max(0, −(min({0}, {1}, {2}) − {3}))",
        *passed,
        slack_of_unit(unit),
        label="MR2",
    )


def _percent(share: Decimal) -> str:
    return f"{share * 100:+f} %"
