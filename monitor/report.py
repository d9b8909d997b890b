"""Figures as others see them: the assessment of `evaluate`, the API and Redis."""

from __future__ import annotations

from monitor.account.state import Account
from monitor.exact import ZERO
from monitor.margin.figures import CurrencyFigures, Figures
from monitor.schema.assessment import Assessment, CurrencyAssessment, PositionAssessment
from monitor.schema.commands import Band
from monitor.schema.reference import Policy

__all__ = ["assessment", "band_of"]


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
    """Return the published form of an account's figures; unpriced ones show no figure in USD."""
    if figures.unpriced:
        return Assessment(
            account_id=account.account_id,
            mode=account.mode,
            band=None,
            ratio=None,
            adjusted_equity=None,
            total_equity=None,
            initial_margin=None,
            maintenance_margin=None,
            liquidation_fee=None,
            available_margin=None,
            position_value=None,
            leverage=None,
            spot_order_loss=None,
            frozen=None,
            estimated_fees=None,
            currencies={},
            positions=(),
            unpriced=figures.unpriced,
            stale=stale,
            out_of_sync=account.out_of_sync,
        )
    return Assessment(
        account_id=account.account_id,
        mode=account.mode,
        band=band_of(figures, policy),
        ratio=figures.ratio,
        adjusted_equity=figures.adjusted_equity,
        total_equity=figures.total_equity,
        initial_margin=figures.initial_margin,
        maintenance_margin=figures.maintenance_margin,
        liquidation_fee=figures.liquidation_fee,
        available_margin=figures.available_margin,
        position_value=figures.position_value,
        leverage=figures.leverage,
        spot_order_loss=figures.spot_order_loss,
        frozen=figures.frozen_usd,
        estimated_fees=figures.estimated_fees,
        currencies={name: _currency(c) for name, c in sorted(figures.currencies.items())},
        positions=tuple(
            PositionAssessment(
                instrument=p.instrument,
                position_side=p.side,
                margin_mode="cross",
                quantity=p.quantity,
                notional_usd=p.notional_usd,
                unrealised_pnl=p.unrealised_pnl,
                initial_margin=p.initial_margin,
                maintenance_margin=p.maintenance_margin,
                tier=p.tier,
                beyond_last_tier=p.beyond_last_tier,
            )
            for _, p in sorted(figures.positions.items())
        ),
        stale=stale,
        out_of_sync=account.out_of_sync,
    )


def _currency(c: CurrencyFigures) -> CurrencyAssessment:
    return CurrencyAssessment(
        cash=c.cash,
        borrowed=c.borrowed,
        unrealised_pnl=c.unrealised_pnl,
        options_value=ZERO,
        accrued_interest=c.accrued_interest,
        equity=c.equity,
        frozen=c.frozen,
        available=c.available,
        available_balance=c.available_balance,
        liability=c.liability,
        upl_liability=c.upl_liability,
        potential_borrowing=c.potential_borrowing,
        borrow_margin=c.borrow_margin_usd,
        borrow_margin_coin=c.borrow_margin_usd / c.price if c.price else None,
        borrow_leverage=c.borrow_leverage,
        price=c.price or None,
        equity_usd=c.equity * c.price,
        discounted_equity=c.discounted_usd,
    )
