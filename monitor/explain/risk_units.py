"""Portfolio mode explained: each risk unit's charges and what they come to (PM-2, PM-3)."""

from __future__ import annotations

from decimal import Decimal

from monitor.exact import plain
from monitor.explain.node import Node, figure, given
from monitor.explain.sheet import Sheet
from monitor.margin.portfolio import RiskUnitFigures
from monitor.margin.portfolio.grid import Grid, grid_of, moment_of

__all__ = ["initial_of_units", "maintenance_of_unit", "maintenance_of_units"]

_GIVEN = (
    ("mr2", "MR2, time value", "the worst when options age by the days set"),
    ("mr3", "MR3, term of volatility", "vega by tenor × its shock, opposite tenors offset"),
    ("mr4", "MR4, basis", "delta of perpetuals × share, of each expiry × yearly move × time"),
    ("mr5", "MR5, interest rates", "rho by tenor × its shock"),
    ("mr7", "MR7, minimum charge", "share of gross delta, an option's minimum at least, scaled"),
    ("mr9", "MR9, stablecoin hedge", "what legs in two stablecoins hedge of each other × its rate"),
)
_FILLED = {"none": "", "buys": ", with open buys filled", "sells": ", with open sells filled"}
_SHOWN_AS_PERCENT = Decimal(100)


def maintenance_of_units(sheet: Sheet) -> list[Node]:
    """PM-2: of each unit, by underlying."""
    return [maintenance_of_unit(sheet, name) for name in sorted(sheet.figures.risk_units)]


def initial_of_units(sheet: Sheet) -> list[Node]:
    """PM-2: the initial factor × maintenance of each unit, by underlying."""
    found = []
    for name in sorted(sheet.figures.risk_units):
        rate = _grid(sheet, name).initial_factor
        factor = given("initial factor", rate, "", "reference set", "PM-2")
        label = f"unit {name}"
        unit = maintenance_of_unit(sheet, name)
        title = f"initial margin of risk unit {name}"
        found.append(figure(title, "USD", "PM-2", "{0} × {1}", factor, unit, label=label))
    return found


def maintenance_of_unit(sheet: Sheet, underlying: str) -> Node:
    """PM-2: max(max(MR1, MR2, MR6) + MR3 + MR4 + MR5 + MR9, MR7)."""
    unit = sheet.figures.risk_units[underlying]

    def tell(name: str) -> Node:
        charges = {
            field: given(
                f"{title} of {underlying}", getattr(unit.charges, field), "USD", how, "PM-3"
            )
            for field, title, how in _GIVEN
        }
        return figure(
            name,
            "USD",
            "PM-2",
            "max(max({0}, {1}, {2}) + {3} + {4} + {5} + {6}, {7})",
            _worst(unit),
            charges["mr2"],
            _extreme(sheet, unit),
            *(charges[field] for field in ("mr3", "mr4", "mr5", "mr9", "mr7")),
            label=f"unit {underlying}",
        )

    filled = _FILLED[unit.filled]
    return sheet.once(f"maintenance margin of risk unit {underlying}{filled}", tell)


def _worst(unit: RiskUnitFigures) -> Node:
    """MR1, over all scenarios."""
    cells = [
        given(
            f"PnL of {unit.underlying}, price {_percent(shock)}, volatility {move}",
            pnl,
            "USD",
            "derivatives revalued, spot in use moved along",
            "PM-4",
        )
        for move, row in unit.scenarios.items()
        for shock, pnl in row.items()
    ]
    terms = ", ".join(f"{{{number}}}" for number in range(len(cells)))
    worst = figure(
        f"worst scenario of {unit.underlying}: price {_percent(unit.worst.spot)}, "
        f"volatility {unit.worst.volatility}",
        "USD",
        "PM-3",
        f"min({terms})",
        *cells,
    )
    name = f"MR1, price and volatility, of {unit.underlying}"
    return figure(name, "USD", "PM-3", "max(0, −{0})", worst)


def _extreme(sheet: Sheet, unit: RiskUnitFigures) -> Node:
    """MR6."""
    grid = _grid(sheet, unit.underlying)
    pnl = given(
        f"PnL of {unit.underlying} at the extreme move, price {_percent(unit.extreme.spot)}",
        unit.extreme.pnl,
        "USD",
        "derivatives revalued, spot in use moved along",
        "PM-4",
    )
    share = given("extreme share", grid.extreme_share, "", "reference set", "PM-3")
    name = f"MR6, extreme move, of {unit.underlying}"
    return figure(name, "USD", "PM-3", "{0} × max(0, −{1})", share, pnl)


def _grid(sheet: Sheet, underlying: str) -> Grid:
    found = grid_of(sheet.reference, underlying, moment_of(sheet.prices, underlying))
    if found is None:
        raise ValueError(f"risk unit {underlying} without parameters has figures")
    return found


def _percent(shock: Decimal) -> str:
    shown = plain((shock * _SHOWN_AS_PERCENT).normalize())
    return f"{shown.replace('-', '−') if shock < 0 else '+' + shown if shock else shown} %"
