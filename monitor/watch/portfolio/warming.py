"""The compiled loops over portfolio accounts, run once on the smallest book that reaches all of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from monitor.account.state import Account, Balance, Position
from monitor.prices import PriceBook
from monitor.reference import load_reference
from monitor.schema import Tick
from monitor.watch.form import compile_form
from monitor.watch.portfolio.room import PortfolioWatch

__all__ = ["warm_portfolio"]

_DAY_MS = 86_400_000
_UNIT = {
    "spot_shocks": ["0.04", "0.08", "0.12"],
    "extreme_shock": "0.24",
    "basis_perpetual": "0.002",
    "basis_yearly": "0.05",
    "minimum_charge": "0.0045",
    "volatility_shocks": [{"days": "30", "down": "0.3", "up": "0.3"}],
    "days": "1",
    "tenors": [{"days": "30", "shock": "0.1"}],
    "rate_shocks": [{"days": "30", "shock": "0.01"}],
    "option_minimum": "0.003",
}


def _listed(kind: str, **more: Any) -> dict[str, Any]:
    tiers = [{"up_to": "10", "initial": "0.1", "maintenance": "0.05"}]
    return {
        "kind": kind,
        "family": "BTC-USD",
        "underlying": "BTC",
        "quote": "USD",
        "settle": "BTC",
        "inverse": True,
        "contract_value": "1",
        "lot": "1",
        "tick": "1",
        "position_tiers": tiers,
        **more,
    }


def warm_portfolio() -> None:
    """Screen one short option, hedged with a perpetual, and let its index leave a cell."""
    option = {"expiry": 7 * _DAY_MS, "strike": "60000", "option_type": "call"}
    reference = load_reference(
        {
            "currencies": {"BTC": {"discount_tiers": [{"up_to": "20", "rate": "0.98"}]}},
            "instruments": {
                "option": _listed("option", **option),
                "swap": _listed("swap", contract_value="100"),
            },
            "portfolio": [{"valid_from": "1970-01-01", "units": {"default": _UNIT}}],
        }
    )
    prices, rows = PriceBook(), dict[str, int]()
    opening = (
        Tick(symbol="BTC-USD", kind="index", price=Decimal(60_000), ts=0, seq=0),
        Tick(symbol="option", kind="mark", price=Decimal("0.02"), ts=0, seq=0),
        Tick(symbol="swap", kind="mark", price=Decimal(60_010), ts=0, seq=0),
    )
    for tick in opening:
        prices.take(tick, 0, reference.policy, 0)
    account = Account("warm", known=True, mode="portfolio", auto_borrow=True)
    account.balances["BTC"] = Balance(Decimal(1))
    for name, quantity in (("option", -1), ("swap", 100)):
        position = Position(name, "net", Decimal(quantity), Decimal(60_000))
        account.positions[f"{name}/net"] = position
    form = compile_form(account, reference, prices, lambda key: rows.setdefault(key, len(rows)))
    watch = PortfolioWatch()
    watch.put(0, account, reference, prices, form)
    watch.look(0, (1.0, 3.0))
    moved = Tick(symbol="BTC-USD", kind="index", price=Decimal(61_000), ts=10, seq=1)
    prices.take(moved, 10, reference.policy, 10)
    watch.tick("BTC-USD/index")
