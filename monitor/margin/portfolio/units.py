"""The risk units of an account: made of its positions, orders and spot, and added up (PM-1, PM-2)."""

from __future__ import annotations

from decimal import Decimal

from monitor.margin.portfolio.charges import MissingParameter
from monitor.margin.portfolio.contracts import contract_risk
from monitor.margin.portfolio.figures import RiskUnitFigures, UnitPosition
from monitor.margin.portfolio.grid import Grid, grid_of, moment_of
from monitor.margin.portfolio.holdings import Contract, Holdings
from monitor.margin.portfolio.prices import forward_of, usd_of
from monitor.margin.portfolio.unit import unit_figures
from monitor.margin.run import Run
from monitor.margin.spot_orders import exchange_of
from monitor.schema.reference import Instrument

__all__ = ["add_units"]

_POINT = Decimal("0.01")


def add_units(run: Run) -> None:
    """Add every unit's margins to the account's (PM-2) and to OC-1's two sides.

    Currencies must have been added: the spot of a unit is an equity. What lacks a parameter leaves
    the account unpriced, under the parameter's name.
    """
    made = _Units(run)
    figures, missing = run.figures, []
    for underlying in made.underlyings():
        try:
            unit = made.figures_of(underlying)
        except MissingParameter as lacking:
            missing.append(f"portfolio.{underlying}.{lacking}/reference")
            continue
        figures.risk_units[underlying] = unit
        figures.maintenance_margin += unit.maintenance_margin
        figures.initial_margin += unit.initial_margin
        figures.maintenance_without_orders += unit.maintenance_without_orders
        figures.order_requirement += unit.initial_margin - unit.initial_without_orders  # OC-1
    if missing:
        figures.unpriced = tuple(missing)


class _Units:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.reference = run.reference
        self.held: dict[str, list[str]] = {}
        """Underlying → keys of its positions."""
        for key, position in run.account.positions.items():
            underlying = self.reference.instruments[position.instrument].underlying
            self.held.setdefault(underlying, []).append(key)

    def underlyings(self) -> list[str]:
        """Return the underlyings of positions and of what orders open, by name."""
        names = set(self.held)
        for order in self.run.derivative_orders:
            if self.run.opening[order.order_id]:
                names.add(self.reference.instruments[order.instrument].underlying)
        return sorted(names)

    def figures_of(self, underlying: str) -> RiskUnitFigures:
        """Raises `MissingParameter`."""
        run = self.run
        moment = moment_of(run.prices, underlying)
        grid = grid_of(self.reference, underlying, moment)
        if grid is None:
            raise MissingParameter("valid_from")
        holdings = Holdings(underlying, run.index(underlying), moment)
        holdings.cap = run.account.spot_hedge.get(underlying)
        coin = run.figures.currencies.get(underlying)
        if coin is not None:
            holdings.spot = coin.equity - coin.options_value
        for key in self.held.get(underlying, ()):
            position = run.account.positions[key]
            contract = self._contract(grid, holdings, position.instrument)
            size = self.reference.sizes[position.instrument]
            contract.positions[key] = position.quantity * size
        self._add_orders(grid, holdings)
        shown = tuple(self._shown(holdings, key) for key in self.held.get(underlying, ()))
        holdings.indices = {name: usd_of(run, name) for name in _quotes(holdings)}
        return unit_figures(grid, holdings, shown)

    def _contract(self, grid: Grid, holdings: Holdings, name: str) -> Contract:
        found = holdings.contracts.get(name)
        if found is None:
            run, instrument = self.run, self.reference.instruments[name]
            risk = contract_risk(
                grid,
                name,
                instrument,
                run.marks[name],
                holdings.index,
                usd_of(run, instrument.quote),
                self._forward(instrument, holdings.index),
                holdings.moment,
            )
            found = Contract(name, instrument, risk, holdings.index)
            holdings.contracts[name] = found
        return found

    def _forward(self, instrument: Instrument, index: Decimal) -> Decimal:
        """Return an option's forward in USD; the index where no same-expiry future has a mark."""
        if instrument.kind != "option":
            return index
        found = forward_of(instrument, self.reference, self.run.prices)
        return index if found is None else found.mark * usd_of(self.run, found.quote)

    def _add_orders(self, grid: Grid, holdings: Holdings) -> None:
        run = self.run
        for order in run.derivative_orders:
            instrument = self.reference.instruments[order.instrument]
            opens = run.opening[order.order_id]
            if not opens or instrument.underlying != holdings.underlying:
                continue
            contract = self._contract(grid, holdings, order.instrument)
            amount = opens * self.reference.sizes[order.instrument]
            if order.side == "buy":
                contract.buys += amount
            else:
                contract.sells += amount
        for order in run.spot_orders:
            exchange = exchange_of(order, self.reference.instruments[order.instrument], run.index)
            if exchange.receives == holdings.underlying:
                holdings.spot_buys += exchange.received
            elif exchange.gives == holdings.underlying:
                holdings.spot_sells += exchange.given

    def _shown(self, holdings: Holdings, key: str) -> UnitPosition:
        position = self.run.account.positions[key]
        name = position.instrument
        amount = position.quantity * self.reference.sizes[name]
        risk = holdings.contracts[name].risk
        return UnitPosition(
            key,
            name,
            position.side,
            position.quantity,
            amount * risk.delta,
            amount * risk.gamma,
            amount * risk.vega * _POINT,
            amount * risk.theta,
            risk.implied_volatility,
        )


def _quotes(holdings: Holdings) -> set[str]:
    return {contract.instrument.quote for contract in holdings.contracts.values()}
