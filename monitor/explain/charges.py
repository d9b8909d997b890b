"""MR3, MR4, MR5, MR7 and MR9 of a risk unit explained (PM-3, PM-5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.explain.contract import amount_of, delta_of, of_model, parameter
from monitor.explain.node import Node, figure, given, looked_up, total
from monitor.explain.sheet import Sheet
from monitor.margin.portfolio.charges import (
    PAIRS,
    YEAR_DAYS,
    peg,
    quoted_in,
    table_row,
    tenor_pairs,
)
from monitor.margin.portfolio.figures import RiskUnitFigures
from monitor.margin.portfolio.grid import bucket_of, days_between
from monitor.margin.portfolio.holdings import Held

__all__ = ["basis", "minimum_charge", "rate_risk", "stablecoin_hedge", "term_volatility"]


def _options(unit: RiskUnitFigures) -> list[Held]:
    return [one for one in unit.held if one.contract.is_option and one.net]


def _days(unit: RiskUnitFigures, one: Held) -> Decimal:
    return days_between(unit.holdings.moment, one.contract.instrument.expiry or 0)


def _error(unit: RiskUnitFigures, name: str, shock: Callable[[Held], Decimal]) -> Node:
    """The value model's error in a charge by tenor."""
    parts = [
        figure(
            f"error bound of {one.contract.name} in {name}",
            "USD",
            "PM-4",
            "abs({0}) × {1} × {2}",
            amount_of(one),
            of_model(one, "error bound", one.contract.risk.slack),
            parameter(unit, f"shock of its tenor in {name}", shock(one)),
        )
        for one in _options(unit)
    ]
    return total(f"error bound in {name} of {unit.underlying}", "USD", "PM-4", parts)


def term_volatility(unit: RiskUnitFigures) -> Node:
    """MR3: vega × shock by tenor, opposite ones set off by the table."""
    name, tenors = f"MR3 of {unit.underlying}", unit.grid.unit.tenors
    options = _options(unit)
    if not options or tenors is None:
        return total(name, "USD", "PM-3", [], label="MR3")
    charges = []
    for number, tenor in enumerate(tenors):
        parts = [
            figure(
                f"vega of {one.contract.name} × shock",
                "USD",
                "PM-3",
                "{0} × {1} × {2}",
                amount_of(one),
                of_model(one, "vega", one.contract.risk.vega),
                parameter(unit, f"shock of tenor {tenor.days} days", tenor.shock),
            )
            for one in options
            if bucket_of(tenors, _days(unit, one)) == number
        ]
        charges.append(total(f"charge of tenor {tenor.days} days", "USD", "PM-3", parts))
    left = [
        figure(f"size of the {charge.name}", "USD", "PM-3", "abs({0})", charge)
        for charge in charges
    ]
    for short, long in tenor_pairs(len(tenors)):
        first, second = charges[short].value or ZERO, charges[long].value or ZERO
        if first * second >= 0:
            continue
        between = f"between {tenors[short].days} and {tenors[long].days} days"
        used = figure(
            f"set off {between}",
            "USD",
            "PM-3",
            "{0} × min({1}, {2})",
            parameter(unit, f"share that offsets {between}", tenors[long].offsets[short]),
            left[short],
            left[long],
        )
        for number in (short, long):
            rest = f"left of tenor {tenors[number].days} days, {between} set off"
            left[number] = figure(rest, "USD", "PM-3", "{0} − {1}", left[number], used)
    whole = total(f"term volatility of {unit.underlying}", "USD", "PM-3", left)
    error = _error(unit, "MR3", lambda one: tenors[bucket_of(tenors, _days(unit, one))].shock)
    return figure(name, "USD", "PM-3", "{0} + {1}", whole, error, label="MR3")


def rate_risk(unit: RiskUnitFigures) -> Node:
    """MR5: rho × shock by tenor."""
    name, shocks = f"MR5 of {unit.underlying}", unit.grid.unit.rate_shocks
    options = _options(unit)
    if not options or shocks is None:
        return total(name, "USD", "PM-3", [], label="MR5")
    parts = []
    for number, shock in enumerate(shocks):
        rhos = [
            figure(
                f"rho of {one.contract.name}",
                "USD",
                "PM-3",
                "{0} × {1}",
                amount_of(one),
                of_model(one, "rho", one.contract.risk.rho),
            )
            for one in options
            if bucket_of(shocks, _days(unit, one)) == number
        ]
        rho = total(f"rho up to {shock.days} days", "USD", "PM-3", rhos)
        moved = parameter(unit, f"rate shock up to {shock.days} days", shock.shock)
        at = f"rates up to {shock.days} days"
        parts.append(figure(at, "USD", "PM-3", "abs({0}) × {1}", rho, moved))
    whole = total(f"rates of {unit.underlying}", "USD", "PM-3", parts)
    error = _error(unit, "MR5", lambda one: shocks[bucket_of(shocks, _days(unit, one))].shock)
    return figure(name, "USD", "PM-3", "{0} + {1}", whole, error, label="MR5")


def basis(unit: RiskUnitFigures) -> Node:
    """MR4: perpetuals one by one, dated contracts by expiry."""
    parts = []
    by_expiry: dict[int, list[Held]] = {}
    for one in unit.held:
        if one.contract.instrument.kind != "swap":
            by_expiry.setdefault(one.contract.instrument.expiry or 0, []).append(one)
            continue
        share = parameter(unit, "basis of a perpetual", unit.grid.unit.basis_perpetual)
        name = f"basis of {one.contract.name}"
        parts.append(figure(name, "USD", "PM-5", "abs({0}) × {1}", delta_of(one), share))
    for expiry, held in sorted(by_expiry.items()):
        parts.append(_of_expiry(unit, expiry, held))
    return total(f"MR4 of {unit.underlying}", "USD", "PM-5", parts, label="MR4")


def _of_expiry(unit: RiskUnitFigures, expiry: int, held: Sequence[Held]) -> Node:
    delta = total(f"delta of expiry {expiry}", "USD", "PM-5", [delta_of(one) for one in held])
    errors = [
        figure(
            f"error bound of {one.contract.name}",
            "USD",
            "PM-4",
            "abs({0}) × {1}",
            amount_of(one),
            of_model(one, "error bound", one.contract.risk.slack),
        )
        for one in held
    ]
    return figure(
        f"basis of expiry {expiry}",
        "USD",
        "PM-5",
        "(abs({0}) + {1}) × {2} × {3} / {4}",
        delta,
        total(f"error bound of expiry {expiry}", "USD", "PM-4", errors),
        parameter(unit, "yearly basis move", unit.grid.unit.basis_yearly),
        given(
            f"days to {expiry}", days_between(unit.holdings.moment, expiry), "days", "instrument"
        ),
        given("days of a year", Decimal(YEAR_DAYS), "days", "PM-4"),
    )


def minimum_charge(sheet: Sheet, unit: RiskUnitFigures) -> Node:
    """MR7: by gross delta, scaled marginally."""
    raw = [_minimum_of(sheet, unit, one) for one in unit.held]
    whole = total(f"raw minimum charge of {unit.underlying}", "USD", "PM-5", raw)
    slices = [(tier.up_to, tier.factor) for tier in unit.grid.unit.minimum_scale]
    return _marginal(unit, f"MR7 of {unit.underlying}", "PM-5", whole, slices, "MR7")


def _minimum_of(sheet: Sheet, unit: RiskUnitFigures, one: Held) -> Node:
    name, rules = one.contract.name, unit.grid.unit
    gross = given(f"gross amount of {name}", one.gross, "", "book", "PM-5")
    delta = of_model(one, "delta", one.contract.risk.delta)
    share = parameter(unit, "minimum charge", rules.minimum_charge)
    label = f"minimum charge of {name}"
    if not one.contract.is_option:
        formula = "{0} × (abs({1}) × {2})"
        return figure(label, "USD", "PM-5", formula, gross, delta, share, label=name)
    least = rules.option_minimum if rules.option_minimum is not None else ZERO
    return figure(
        label,
        "USD",
        "PM-5",
        "{0} × max(abs({1}) × {2} + {3} × {2}, {4} × {5})",
        gross,
        delta,
        share,
        of_model(one, "error bound", one.contract.risk.slack),
        sheet.index(unit.underlying),
        parameter(unit, "minimum of an option", least),
        label=name,
    )


def _marginal(
    unit: RiskUnitFigures,
    name: str,
    rule: str,
    whole: Node,
    slices: Sequence[tuple[Decimal, Decimal]],
    label: str,
) -> Node:
    """`whole` through (up to, factor), the part past the last at its factor."""
    parts: list[Node] = []
    below, factor = ZERO, ONE
    for up_to, factor in slices:
        parts.append(
            figure(
                f"{name} up to {up_to}",
                "USD",
                rule,
                "max(0, min({0}, {1}) − {2}) × {3}",
                whole,
                parameter(unit, f"slice up to {up_to}", up_to),
                parameter(unit, f"slice from {below}", below),
                parameter(unit, f"factor up to {up_to}", factor),
            )
        )
        below = up_to
    parts.append(
        figure(
            f"{name} above {below}",
            "USD",
            rule,
            "max(0, {0} − {1}) × {2}",
            whole,
            parameter(unit, f"slice from {below}", below),
            parameter(unit, f"factor above {below}", factor),
        )
    )
    return total(name, "USD", rule, parts, label=label)


def stablecoin_hedge(sheet: Sheet, unit: RiskUnitFigures) -> Node:
    """MR9: what legs of two stablecoins hedge of each other."""
    name, table = f"MR9 of {unit.underlying}", unit.grid.unit.stablecoin_table
    legs: dict[str, list[Node]] = {}
    for one in unit.held:
        legs.setdefault(quoted_in(one.contract.instrument), []).append(delta_of(one))
    left = {
        coin: total(f"delta of {unit.underlying} in {coin}", "USD", "PM-3", parts)
        for coin, parts in legs.items()
    }
    charges = []
    for first, second in PAIRS:
        if table is None or first not in left or second not in left:
            continue
        a, b = left[first].value or ZERO, left[second].value or ZERO
        if a * b >= 0:
            continue
        between = f"between {first} and {second}"
        hedged = figure(
            f"hedged {between}", "USD", "PM-3", "min(abs({0}), abs({1}))", left[first], left[second]
        )
        for coin, value in ((first, a), (second, b)):
            formula = "{0} + {1}" if value < 0 else "{0} − {1}"
            rest = f"delta in {coin}, {between} hedged"
            left[coin] = figure(rest, "USD", "PM-3", formula, left[coin], hedged)
        prices = [sheet.index(first), sheet.index(second)]
        index = figure(f"index {between}", "", "PM-3", "min({0} / {1}, {1} / {0})", *prices)
        row = table_row(table, peg(prices[0].value or ONE, prices[1].value or ONE))
        tiers = [(tier.up_to, tier.rate) for tier in row.tiers]
        bound = looked_up(
            f"row of the table {between}",
            row.index,
            "",
            "PM-3",
            "{0} ≤ {1}",
            parameter(unit, "row from", row.index),
            index,
        )
        size = figure(f"size {between}", "USD", "PM-3", "{0} + 0 × {1}", hedged, bound)
        charges.append(_marginal(unit, f"MR9 {between}", "PM-3", size, tiers, ""))
    return total(name, "USD", "PM-3", charges, label="MR9")
