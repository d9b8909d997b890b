"""What each figure of a message is counted in; a decimal field without an entry is an error."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

__all__ = ["UNITS", "unit_of"]

_USD = "USD"
_COIN = "coin"
_SIZE = "contracts; base coin for spot"
_QUOTE = "quote currency"
_RATIO = "ratio, 1 = 100 %"
_SHARE = "share, 1 = 100 %"
_YEARLY = "share by the year"
_TIMES = "times"
_SECONDS = "seconds"

UNITS: Mapping[str, str] = {
    # the same wherever it stands
    "accrued_interest": _COIN,
    "adjusted_equity": _USD,
    "bankruptcy_price": _QUOTE,
    "borrow_leverage": _TIMES,
    "borrow_margin": _USD,
    "borrow_margin_coin": _COIN,
    "borrowed": _COIN,
    "available": _COIN,
    "available_balance": _COIN,
    "available_margin": _USD,
    "capped_usd": _USD,
    "cash": _COIN,
    "discounted_equity": _USD,
    "entry_price": _QUOTE,
    "equity_usd": _USD,
    "estimated_fees": _USD,
    "expected_ratio": _RATIO,
    "fee": "coin of fee_currency",
    "fee_usd": _USD,
    "filled_quantity": _SIZE,
    "free": _COIN,
    "free_part": _COIN,
    "initial": _SHARE,
    "initial_margin": _USD,
    "lent_out": _COIN,
    "level": _RATIO,
    "leverage": _TIMES,
    "liability": _COIN,
    "liquidation_fee": _USD,
    "liquidation_price": _QUOTE,
    "liquidation_price_buys_filled": _QUOTE,
    "liquidation_price_sells_filled": _QUOTE,
    "maintenance": _SHARE,
    "maintenance_margin": _USD,
    "margin_usd": _USD,
    "max_leverage": _TIMES,
    "next_yearly_rate": _YEARLY,
    "notional_usd": _USD,
    "platform_pool": _COIN,
    "position_value": _USD,
    "potential_borrowing": _COIN,
    "price": _QUOTE,
    "prices": "quote currency of each symbol",
    "quantity": _SIZE,
    "ratio": _RATIO,
    "shortfall": _USD,
    "spot_order_loss": _USD,
    "total_equity": _USD,
    "upl_liability": _COIN,
    "yearly_rate": _YEARLY,
    # what differs by the message
    "AccountSettings.spot_hedge": _COIN,
    "Action.quantity": "contracts (close), base coin (buy, sell), coin (repay, takeover of a coin)",
    "AlertRule.minimum_notional_usd": _USD,
    "Assessment.frozen": _USD,
    "BorrowQuestion.amount": _COIN,
    "BorrowTier.up_to": _COIN,
    "BorrowingFigures.isolated_debt": _COIN,
    "BorrowingFigures.margin": _COIN,
    "CheckAnswer.borrows": _COIN,
    "CheckAnswer.figures": "USD; coin where a currency's name stands before the dot",
    "CheckAnswer.largest": "what was asked for: quantity or coin",
    "Currency.interest_free_quota": _COIN,
    "Currency.minimum_rate": _SHARE,
    "Currency.vip_caps": _COIN,
    "CurrencyAssessment.equity": _COIN,
    "CurrencyAssessment.frozen": _COIN,
    "CurrencyAssessment.liquidation_price": _USD,
    "CurrencyAssessment.liquidation_price_buys_filled": _USD,
    "CurrencyAssessment.liquidation_price_sells_filled": _USD,
    "CurrencyAssessment.options_value": _COIN,
    "CurrencyAssessment.price": _USD,
    "CurrencyAssessment.unrealised_pnl": _COIN,
    "DiscountTier.rate": _SHARE,
    "DiscountTier.up_to": "coin or USD, by tier_unit",
    "Fees.derivative_taker": _SHARE,
    "Fees.spot_taker": _SHARE,
    "Instrument.contract_value": "underlying; USD for inverse contracts",
    "Instrument.funding_rate": _SHARE,
    "Instrument.lot": _SIZE,
    "Instrument.multiplier": _TIMES,
    "Instrument.strike": _QUOTE,
    "Instrument.tick": _QUOTE,
    "InterestNotice.amount": _COIN,
    "IsolatedAssessment.equity": _USD,
    "IsolatedAssessment.margin": "coin of margin_currency",
    "IsolatedAssessment.unrealised_pnl": "settle currency; quote for a margin position",
    "JumpGuard.percent": "percent",
    "LimitFigures.left": _COIN,
    "LimitFigures.limit": _COIN,
    "LimitFigures.used": _COIN,
    "LimitsLeft.main_account": _COIN,
    "LimitsLeft.platform": _COIN,
    "LimitsLeft.tier": _COIN,
    "OptionParameters.a": _SHARE,
    "OptionParameters.b": _SHARE,
    "OptionParameters.c": "coin by coin; share of the index if margined in USD",
    "Policy.confirm_seconds": _SECONDS,
    "Policy.deduction_seconds": _SECONDS,
    "Policy.expire_seconds": _SECONDS,
    "Policy.grace_seconds": _SECONDS,
    "Policy.liquidation": _RATIO,
    "Policy.liquidation_exit": _RATIO,
    "Policy.max_age_seconds": _SECONDS,
    "Policy.recording_seconds": _SECONDS,
    "Policy.suspension_ratio": _RATIO,
    "Policy.symbol_caps": "USD a second",
    "Policy.time_scale": _TIMES,
    "Policy.warning": _RATIO,
    "Policy.warning_exit": _RATIO,
    "Policy.worsened": _RATIO,
    "PositionAssessment.options_value": "settle currency",
    "PositionAssessment.unrealised_pnl": "settle currency",
    "PositionSnapshot.margin": "coin of margin_currency",
    "PositionTier.option_factor": _TIMES,
    "PositionTier.up_to": "contracts",
    "RepayPlan.amount": _COIN,
    "RepayPlan.left": _COIN,
    "RepayPlan.repaid": _COIN,
    "RepayPlan.repay_transfer": _COIN,
    "RepayQuestion.amount": _COIN,
    "RepeatPolicy.step": _SHARE,
    "RepaySale.fee": "coin of received_currency",
    "RepaySale.given": "coin of given_currency",
    "RepaySale.quantity": "base coin",
    "RepaySale.received": "coin of received_currency",
    "Tick.price": "USD, or the quote currency",
    "Transfer.amount": _COIN,
    "UtilisationPoint.rate": _YEARLY,
    "UtilisationPoint.utilisation": _SHARE,
    "WithdrawalQuestion.amount": _COIN,
}
"""`field`, or `Model.field` where the field alone does not say it, → unit."""


def unit_of(model: type[BaseModel], field: str) -> str | None:
    """Return the unit of a field of `model`, which may be inherited; None where it has none."""
    for base in model.__mro__:
        unit = UNITS.get(f"{base.__name__}.{field}")
        if unit is not None:
            return unit
    return UNITS.get(field)
