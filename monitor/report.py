"""Figures as others see them: the assessment of `evaluate`, the API and Redis."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from monitor.account.state import Account
from monitor.exact import plain
from monitor.margin.figures import CurrencyFigures, Figures, PositionFigures
from monitor.schema.assessment import Assessment
from monitor.schema.commands import Band
from monitor.schema.reference import Policy

__all__ = ["assessment", "band_of", "shown"]


def band_of(figures: Figures, policy: Policy) -> Band:
    """ES-1: return the band; no ratio is `normal` (MR-1)."""
    ratio = figures.ratio
    if ratio is None or ratio > policy.level("warning", figures.mode):
        return "normal"
    if ratio > policy.level("liquidation", figures.mode):
        return "warning"
    return "liquidation"


def assessment(
    account: Account, figures: Figures, policy: Policy, stale: tuple[str, ...] = ()
) -> Assessment:
    """Return the published form of an account's figures."""
    return Assessment.model_validate(shown(account, figures, policy, stale))


def shown(
    account: Account, figures: Figures, policy: Policy, stale: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return an `Assessment` as plain data, ready for JSON: the fast way, for the cache.

    An unpriced account shows no figure in USD.
    """
    priced = not figures.unpriced

    def usd(value: Decimal | None) -> str | None:
        return plain(value) if priced and value is not None else None

    return {
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
        "currencies": {
            name: _currency(c) for name, c in sorted(figures.currencies.items()) if priced
        },
        "positions": [_position(p) for _, p in sorted(figures.positions.items()) if priced],
        "unpriced": figures.unpriced,
        "stale": stale,
        "out_of_sync": account.out_of_sync,
    }


def _position(p: PositionFigures) -> dict[str, Any]:
    return {
        "instrument": p.instrument,
        "position_side": p.side,
        "margin_mode": "cross",
        "quantity": plain(p.quantity),
        "notional_usd": plain(p.notional_usd),
        "unrealised_pnl": plain(p.unrealised_pnl),
        "initial_margin": plain(p.initial_margin),
        "maintenance_margin": plain(p.maintenance_margin),
        "tier": p.tier,
        "beyond_last_tier": p.beyond_last_tier,
    }


def _currency(c: CurrencyFigures) -> dict[str, str | None]:
    priced = bool(c.price)
    return {
        "cash": plain(c.cash),
        "borrowed": plain(c.borrowed),
        "unrealised_pnl": plain(c.unrealised_pnl),
        "options_value": "0",
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
