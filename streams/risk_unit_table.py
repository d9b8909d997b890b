"""Risk units as tables for people: charges, scenarios and greeks, rounded against the account."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from monitor.exact import plain
from monitor.schema import Assessment
from monitor.schema.assessment import RiskUnitAssessment
from streams.display import down, up

__all__ = ["print_risk_units"]

_GREEKS = ("delta", "gamma", "vega", "theta")
_CHARGES = ("mr1", "mr2", "mr3", "mr4", "mr5", "mr6", "mr7", "mr9")
_VOLATILITIES = ("down", "same", "up")


def print_risk_units(screen: Console, one: Assessment) -> None:
    """Print the account's risk units (PM-2, PM-3), in USD; nothing where there are none."""
    if not one.risk_units:
        return
    _print_charges(screen, one.risk_units)
    for name, unit in one.risk_units.items():
        _print_scenarios(screen, name, unit)
    _print_greeks(screen, one.risk_units)


def _table(*left: str, right: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in left:
        table.add_column(title)
    for title in right:
        table.add_column(title, justify="right")
    return table


def _print_charges(screen: Console, units: Mapping[str, RiskUnitAssessment]) -> None:
    titles = ("maintenance", "initial", *(name.upper() for name in _CHARGES), "spot in use")
    table = _table("risk unit", right=titles)
    for name, unit in units.items():
        charges = (up(getattr(unit.charges, charge)) for charge in _CHARGES)
        margins = up(unit.maintenance_margin), up(unit.initial_margin)
        table.add_row(name, *margins, *charges, f"{unit.spot_in_use.normalize():,f}")
    screen.print()
    screen.print(table)


def _print_scenarios(screen: Console, name: str, unit: RiskUnitAssessment) -> None:
    shocks = sorted(unit.scenarios.same, key=Decimal)
    moves = tuple(f"{plain((100 * Decimal(shock)).normalize())} %" for shock in shocks)
    table = _table(f"{name}, volatility", right=moves)
    for volatility in _VOLATILITIES:
        row: Mapping[str, Decimal] = getattr(unit.scenarios, volatility)
        cells = []
        for shock in shocks:
            worst = (volatility, Decimal(shock)) == (unit.worst.volatility, unit.worst.spot)
            text = down(row[shock])
            cells.append(f"[bold]worst {text}[/]" if worst else text)
        table.add_row(volatility, *cells)
    screen.print()
    screen.print(table)


def _print_greeks(screen: Console, units: Mapping[str, RiskUnitAssessment]) -> None:
    titles = ("quantity", *(f"{greek} USD" for greek in _GREEKS), "implied volatility")
    table = _table("risk unit", "position", "side", right=titles)
    for name, unit in units.items():
        table.add_row(name, "all", "", "", *(down(getattr(unit, greek)) for greek in _GREEKS), "")
        for held in unit.positions:
            implied = held.implied_volatility
            table.add_row(
                "",
                held.instrument,
                held.position_side,
                f"{held.quantity.normalize():,f}",
                *(down(getattr(held, greek)) for greek in _GREEKS),
                "–" if implied is None else f"{100 * implied:.1f} %",
            )
    screen.print()
    screen.print(table)
