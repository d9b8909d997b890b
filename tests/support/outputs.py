"""Messages as they stand on the output topics."""

from typing import Any

from monitor.schema import Reduction, WarningCommand
from monitor.schema.interest import InterestNotice

__all__ = ["interest", "reduction", "warning"]

_COMMON: dict[str, Any] = {
    "account_id": "acc-1",
    "episode_id": "acc-1#1",
    "mode": "spot",
    "band": "warning",
    "ratio": "2.5",
    "adjusted_equity": "100",
    "maintenance_margin": "39",
    "liquidation_fee": "1",
    "cause": {"kind": "tick", "symbol": "BTC-USD", "price": "60000", "ts": 5},
    "prices": {"BTC-USD/index": "60000"},
    "rules": ["ES-3"],
    "decided_at": 1_700_000_000_000,
    "expires_at": 1_700_000_030_000,
    "inputs": {"book": {"accounts": 1}, "ticks": {"BTC-USD/index": 7}, "reference": "0" * 64},
}


def warning(number: int, **changes: Any) -> WarningCommand:
    """Return the warning with sequence `number` of its episode."""
    return WarningCommand.model_validate(
        {
            **_COMMON,
            "command_id": f"w-{number}",
            "sequence": number,
            "state": "entered",
            "level": "3",
            **changes,
        }
    )


def reduction(number: int, **changes: Any) -> Reduction:
    """Return a reduction of a debt with sequence `number` of its episode."""
    action = {
        "action": "sell",
        "instrument": "BTC-USDT",
        "side": "sell",
        "quantity": "0.5",
        "notional_usd": "30000",
    }
    return Reduction.model_validate(
        {
            **_COMMON,
            "command_id": f"r-{number}",
            "sequence": number,
            "band": "liquidation",
            "ratio": "0.98",
            "rules": ["ES-5", "RD-1"],
            "step": 1,
            "phase": "tier",
            "actions": [action],
            "expected_ratio": "1.2",
            **changes,
        }
    )


def interest(interest_id: str, **changes: Any) -> InterestNotice:
    """Return the notice of one hour's accrual."""
    return InterestNotice.model_validate(
        {
            "interest_id": interest_id,
            "account_id": "acc-1",
            "state": "accrued",
            "currency": "USDT",
            "liability": "100",
            "free": "0",
            "yearly_rate": "0.1",
            "amount": "0.001",
            "hour": 1_700_000_000_000,
            "book": {"accounts": 1},
            "reference": "0" * 64,
            "ts": 1_700_000_060_000,
            **changes,
        }
    )
