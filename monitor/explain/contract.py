"""What the charges of a risk unit share: amounts, deltas and the value model's error (PM-3, PM-5)."""

from __future__ import annotations

from decimal import Decimal

from monitor.explain.node import Node, figure, given, total
from monitor.margin.portfolio.figures import RiskUnitFigures
from monitor.margin.portfolio.holdings import Held

__all__ = ["amount_of", "delta_of", "of_model", "parameter", "slack_of_unit"]


def amount_of(one: Held) -> Node:
    """Contracts × size, signed, the orders that count as filled in it."""
    name = one.contract.name
    unit = "USD" if one.contract.instrument.inverse and not one.contract.is_option else "coin"
    return given(f"amount of {name}", one.net, unit, "book", "PM-1")


def of_model(one: Held, name: str, value: Decimal) -> Node:
    """A figure of one unit of a contract, in USD."""
    source = "Black-76 (PM-4)" if one.contract.is_option else "mark (PM-5)"
    return given(f"{name} of one unit of {one.contract.name}", value, "USD", source, "PM-5")


def delta_of(one: Held) -> Node:
    """PM-5: a contract's delta in USD, at the mark."""
    each = of_model(one, "delta", one.contract.risk.delta)
    name = f"delta of {one.contract.name}"
    return figure(name, "USD", "PM-5", "{0} × {1}", amount_of(one), each, label=one.contract.name)


def parameter(unit: RiskUnitFigures, name: str, value: Decimal) -> Node:
    """A number of the unit's dated set."""
    return given(name, value, "", f"portfolio parameters of {unit.underlying}", "PM-4")


def slack_of_unit(unit: RiskUnitFigures) -> Node:
    """The bound of the value model's error over the unit's options."""
    parts = [
        figure(
            f"error bound of {one.contract.name}",
            "USD",
            "PM-4",
            "abs({0}) × {1}",
            amount_of(one),
            of_model(one, "error bound", one.contract.risk.slack),
        )
        for one in unit.held
    ]
    return total(f"error bound of the options of {unit.underlying}", "USD", "PM-4", parts)
