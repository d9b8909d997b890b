"""Figures as others see them: the assessment of `evaluate`, the API and Redis."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from monitor.account.state import Account
from monitor.exact import plain
from monitor.liquidation_price import LiquidationPrice, LiquidationPrices
from monitor.margin.figures import CurrencyFigures, Figures, IsolatedFigures, PositionFigures
from monitor.margin.portfolio import RiskUnitFigures, UnitPosition
from monitor.schema.assessment import Assessment
from monitor.schema.checks import BorrowingFigures
from monitor.schema.commands import Band
from monitor.schema.reference import Policy

__all__ = ["assessment", "band_of", "band_of_ratio", "shown"]


def band_of(figures: Figures, policy: Policy) -> Band:
    """ES-1: return the account's band."""
    return band_of_ratio(figures.ratio, policy, figures.mode)


def band_of_ratio(ratio: Decimal | None, policy: Policy, mode: str) -> Band:
    """ES-1: return the band of a ratio, an isolated position's too; none is `normal` (MR-1)."""
    if ratio is None or ratio > policy.level("warning", mode):
        return "normal"
    if ratio > policy.level("liquidation", mode):
        return "warning"
    return "liquidation"


def assessment(
    account: Account,
    figures: Figures,
    policy: Policy,
    stale: tuple[str, ...] = (),
    *,
    borrowing: Mapping[str, BorrowingFigures] | None = None,
    liquidation: LiquidationPrices | None = None,
) -> Assessment:
    """Return the published form of an account's figures; `shown` says what is optional."""
    return Assessment.model_validate(
        shown(account, figures, policy, stale, borrowing=borrowing, liquidation=liquidation)
    )


def shown(
    account: Account,
    figures: Figures,
    policy: Policy,
    stale: tuple[str, ...] = (),
    *,
    borrowing: Mapping[str, BorrowingFigures] | None = None,
    liquidation: LiquidationPrices | None = None,
) -> dict[str, Any]:
    """Return an `Assessment` as plain data, ready for JSON: the fast way, for the cache.

    `borrowing` (BL-4, by currency) and `liquidation` (MR-4, costly) are shown where they are given;
    without them their fields are left out. An unpriced account shows no figure in USD.
    """
    priced = not figures.unpriced

    def usd(value: Decimal | None) -> str | None:
        return plain(value) if priced and value is not None else None

    body: dict[str, Any] = {
        "account_id": account.account_id,
        "mode": account.mode,
        "band": band_of(figures, policy) if priced else None,
        "ratio": usd(figures.ratio),
        "adjusted_equity": usd(figures.adjusted_equity),
        "total_equity": usd(figures.total_equity),
        "initial_margin": usd(figures.initial_margin),
        "maintenance_margin": usd(figures.maintenance_margin),
        "liquidation_fee": usd(figures.liquidation_fee),
        "available_margin": usd(figures.available_margin),
        "position_value": usd(figures.position_value),
        "leverage": usd(figures.leverage),
        "spot_order_loss": usd(figures.spot_order_loss),
        "frozen": usd(figures.frozen_usd),
        "estimated_fees": usd(figures.estimated_fees),
        "currencies": {},
        "positions": [],
        "risk_units": {},
        "borrowing_margin": None,
        "isolated": [],
        "unpriced": figures.unpriced,
        "stale": stale,
        "out_of_sync": account.out_of_sync,
    }
    if priced:
        body["currencies"] = {n: _currency(c) for n, c in sorted(figures.currencies.items())}
        body["positions"] = [_position(p) for _, p in sorted(figures.positions.items())]
        body["isolated"] = [
            _isolated(account, p, policy) for _, p in sorted(figures.isolated.items())
        ]
        if account.mode == "portfolio":
            body["risk_units"] = {n: _risk_unit(u) for n, u in sorted(figures.risk_units.items())}
            body["borrowing_margin"] = {
                "maintenance_margin": plain(figures.borrowing_maintenance),
                "initial_margin": plain(figures.borrowing_initial),
            }
        if borrowing is not None:
            _add_borrowing(body["currencies"], borrowing)
        if liquidation is not None:
            _add_liquidation(body, figures, liquidation)
    return body


def _position(p: PositionFigures) -> dict[str, Any]:
    return {
        "instrument": p.instrument,
        "position_side": p.side,
        "margin_mode": "cross",
        "quantity": plain(p.quantity),
        "notional_usd": plain(p.notional_usd),
        "unrealised_pnl": plain(p.unrealised_pnl),
        "options_value": plain(p.options_value),
        "initial_margin": plain(p.initial_margin),
        "maintenance_margin": plain(p.maintenance_margin),
        "tier": p.tier,
        "beyond_last_tier": p.beyond_last_tier,
    }


def _risk_unit(unit: RiskUnitFigures) -> dict[str, Any]:
    return {
        "maintenance_margin": plain(unit.maintenance_margin),
        "initial_margin": plain(unit.initial_margin),
        "maintenance_without_orders": plain(unit.maintenance_without_orders),
        "initial_without_orders": plain(unit.initial_without_orders),
        "filled": unit.filled,
        "delta": plain(unit.delta),
        "gamma": plain(unit.gamma),
        "vega": plain(unit.vega),
        "theta": plain(unit.theta),
        "spot_in_use": plain(unit.spot_in_use),
        "charges": {name: plain(value) for name, value in unit.charges._asdict().items()},
        "scenarios": {
            move: {plain(shock): plain(pnl) for shock, pnl in row.items()}
            for move, row in unit.scenarios.items()
        },
        "worst": {
            "volatility": unit.worst.volatility,
            "spot": plain(unit.worst.spot),
            "pnl": plain(unit.worst.pnl),
        },
        "extreme": {"spot": plain(unit.extreme.spot), "pnl": plain(unit.extreme.pnl)},
        "positions": [_unit_position(position) for position in unit.positions],
    }


def _unit_position(position: UnitPosition) -> dict[str, Any]:
    body: dict[str, Any] = {
        "instrument": position.instrument,
        "position_side": position.side,
        "quantity": plain(position.quantity),
        "delta": plain(position.delta),
        "gamma": plain(position.gamma),
        "vega": plain(position.vega),
        "theta": plain(position.theta),
    }
    if position.implied_volatility is not None:
        body["implied_volatility"] = plain(position.implied_volatility)
    return body


def _isolated(account: Account, p: IsolatedFigures, policy: Policy) -> dict[str, Any]:
    held = account.isolated[p.key]
    return {
        "instrument": p.instrument,
        "position_side": p.side,
        "quantity": plain(p.quantity),
        "margin": plain(p.margin),
        "margin_currency": p.margin_currency,
        "unrealised_pnl": plain(p.unrealised_pnl),
        "liability": plain(held.liability),
        "liability_currency": held.liability_currency or None,
        "accrued_interest": plain(held.accrued_interest),
        "notional_usd": plain(p.notional_usd),
        "equity": plain(p.equity),
        "maintenance_margin": plain(p.maintenance_margin),
        "liquidation_fee": plain(p.liquidation_fee),
        "ratio": None if p.ratio is None else plain(p.ratio),
        "band": band_of_ratio(p.ratio, policy, account.mode),
        "tier": p.tier,
        "beyond_last_tier": p.beyond_last_tier,
    }


def _currency(c: CurrencyFigures) -> dict[str, Any]:
    priced = bool(c.price)
    return {
        "cash": plain(c.cash),
        "borrowed": plain(c.borrowed),
        "unrealised_pnl": plain(c.unrealised_pnl),
        "options_value": plain(c.options_value),
        "accrued_interest": plain(c.accrued_interest),
        "equity": plain(c.equity),
        "frozen": plain(c.frozen),
        "available": plain(c.available),
        "available_balance": plain(c.available_balance),
        "liability": plain(c.liability),
        "upl_liability": plain(c.upl_liability),
        "potential_borrowing": plain(c.potential_borrowing),
        "borrow_margin": plain(c.borrow_margin_usd),
        "borrow_margin_coin": plain(c.borrow_margin_usd / c.price) if priced else None,
        "borrow_leverage": plain(c.borrow_leverage),
        "price": plain(c.price) if priced else None,
        "equity_usd": plain(c.equity * c.price),
        "discounted_equity": plain(c.discounted_usd),
    }


def _add_borrowing(
    currencies: dict[str, dict[str, Any]], borrowing: Mapping[str, BorrowingFigures]
) -> None:
    """BL-4."""
    for name, body in currencies.items():
        coin = borrowing[name]
        limits = {"tier": coin.tier, "main_account": coin.main_account, "platform": coin.platform}
        body["free_part"] = plain(coin.free_part)
        body["yearly_rate"] = plain(coin.yearly_rate)
        body["limits"] = {
            label: None if limit.left is None else plain(limit.left)
            for label, limit in limits.items()
        }


def _add_liquidation(
    body: dict[str, Any], figures: Figures, liquidation: LiquidationPrices
) -> None:
    """MR-4: each position's, each debt's; a currency that is not owed has none."""
    for item, (key, _) in zip(body["positions"], sorted(figures.positions.items()), strict=True):
        item.update(_prices(liquidation.positions.get(key)))
    for item, (key, _) in zip(body["isolated"], sorted(figures.isolated.items()), strict=True):
        item.update(_prices(liquidation.isolated.get(key)))
    for name, coin in body["currencies"].items():
        coin.update(_prices(liquidation.debts.get(name)))


def _prices(found: LiquidationPrice | None) -> dict[str, str | None]:
    price, buys, sells = found if found is not None else (None, None, None)
    return {
        "liquidation_price": None if price is None else plain(price),
        "liquidation_price_buys_filled": None if buys is None else plain(buys),
        "liquidation_price_sells_filled": None if sells is None else plain(sells),
    }
