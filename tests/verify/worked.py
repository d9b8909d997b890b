"""Two worked episodes: every figure below was computed by hand from SPEC."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.verify.scene import Scene

D = Decimal

EXPIRY = 1_703_836_800_000
"""2023-12-29, six weeks after the scenes begin."""

REFERENCE: dict[str, Any] = {
    "currency:BTC": {
        "discount_tiers": [{"up_to": "20", "rate": "0.98"}, {"up_to": "25", "rate": "0.975"}],
        "borrow_tiers": [{"up_to": "35", "initial": "0.1", "maintenance": "0.02"}],
        "liquidity_rank": 1,
    },
    "currency:ETH": {
        "discount_tiers": [{"up_to": "200", "rate": "0.98"}],
        "borrow_tiers": [{"up_to": "500", "initial": "0.1", "maintenance": "0.02"}],
        "liquidity_rank": 2,
    },
    "currency:USDT": {
        "discount_tiers": [{"up_to": "10000000", "rate": "1"}],
        "borrow_tiers": [
            {"up_to": "10000", "initial": "0.1", "maintenance": "0.01"},
            {"up_to": "100000", "initial": "0.1", "maintenance": "0.02"},
        ],
        "liquidity_rank": 3,
    },
    "currency:OKT": {"collateral": False},
    "instrument:BTC-USDT": {
        "kind": "spot",
        "family": "BTC-USDT",
        "underlying": "BTC",
        "quote": "USDT",
        "lot": "0.0001",
        "tick": "0.1",
    },
    "instrument:ETH-USDT": {
        "kind": "spot",
        "family": "ETH-USDT",
        "underlying": "ETH",
        "quote": "USDT",
        "lot": "0.001",
        "tick": "0.01",
    },
    "instrument:BTC-USDT-SWAP": {
        "kind": "swap",
        "family": "BTC-USDT",
        "underlying": "BTC",
        "quote": "USDT",
        "settle": "USDT",
        "contract_value": "0.01",
        "lot": "1",
        "tick": "0.1",
        "position_tiers": [
            {"up_to": "100", "initial": "0.01", "maintenance": "0.005"},
            {"up_to": "200", "initial": "0.02", "maintenance": "0.01"},
            {"up_to": "1000", "initial": "0.05", "maintenance": "0.02"},
        ],
    },
    "instrument:BTC-USD-SWAP": {
        "kind": "swap",
        "family": "BTC-USD",
        "underlying": "BTC",
        "quote": "USD",
        "settle": "BTC",
        "inverse": True,
        "contract_value": "100",
        "lot": "1",
        "tick": "0.1",
        "position_tiers": [
            {"up_to": "1000", "initial": "0.01", "maintenance": "0.005"},
            {"up_to": "9000", "initial": "0.02", "maintenance": "0.01"},
        ],
    },
    "instrument:BTC-USDT-231229": {
        "kind": "future",
        "family": "BTC-USDT",
        "underlying": "BTC",
        "quote": "USDT",
        "settle": "USDT",
        "contract_value": "0.01",
        "lot": "1",
        "tick": "0.1",
        "expiry": EXPIRY,
        "position_tiers": [{"up_to": "1000", "initial": "0.02", "maintenance": "0.01"}],
    },
    "instrument:BTC-USD-231229-60000-C": {
        "kind": "option",
        "family": "BTC-USD",
        "underlying": "BTC",
        "quote": "USD",
        "settle": "BTC",
        "inverse": True,
        "contract_value": "0.1",
        "lot": "1",
        "tick": "0.0001",
        "expiry": EXPIRY,
        "strike": "60000",
        "option_type": "call",
        "position_tiers": [
            {"up_to": "20", "initial": "0", "maintenance": "0", "option_factor": "1"},
            {"up_to": "100", "initial": "0", "maintenance": "0", "option_factor": "1.5"},
        ],
    },
    "instrument:BTC-USDT-231229-50000-P": {
        "kind": "option",
        "family": "BTC-USDT",
        "underlying": "BTC",
        "quote": "USDT",
        "settle": "USDT",
        "contract_value": "0.1",
        "lot": "1",
        "tick": "0.1",
        "expiry": EXPIRY,
        "strike": "50000",
        "option_type": "put",
        "position_tiers": [{"up_to": "100", "initial": "0", "maintenance": "0"}],
    },
    "fees:default": {"spot_taker": "0.001", "derivative_taker": "0.0005"},
    "policy": {"max_age_seconds": {"*": "10"}},
}

SPOT = ("BTC-USD/index", "USDT-USD/index")
SWAP = ("BTC-USDT-SWAP/mark", "USDT-USD/index")


def settings(mode: str, **fields: Any) -> dict[str, Any]:
    """Return an accounts message's fields."""
    return {"mode": mode, "auto_borrow": True, "position_mode": "net", **fields}


BORROWER = settings(
    "spot",
    snapshot={
        "balances": [
            {"currency": "BTC", "cash": "1"},
            {"currency": "USDT", "cash": "0", "borrowed": "30000"},
        ]
    },
)


def figures(equity: Any, maintenance: Any, fee: Any, mode: str, band: str) -> dict[str, Any]:
    """Return the figures of a command from the three that were worked out."""
    total = D(maintenance) + D(fee)
    return {
        "ratio": format(D(equity) / total, "f") if total else None,
        "adjusted_equity": str(equity),
        "maintenance_margin": str(maintenance),
        "liquidation_fee": str(fee),
        "mode": mode,
        "band": band,
    }


def order(order_id: str, version: int, status: str, **fields: Any) -> dict[str, Any]:
    """Return the fields of a sale of 0.1 BTC at 70,000."""
    return {
        "order_id": order_id,
        "version": version,
        "instrument": "BTC-USDT",
        "side": "sell",
        "price": "70000",
        "quantity": "0.1",
        "filled_quantity": "0",
        "status": status,
        "reduce_only": False,
        "auto_borrow": False,
        **fields,
    }


RECEIVED = D("0.6407") * 31250 * D("0.999")


def spot_reduction() -> dict[str, Any]:
    """Return the step from 30,000 USDT down to tier 1, 10,000, at BTC 31,250.

    20,000 / (31,250 × 0.999) = 0.64064…, by lots 0.6407 BTC, which bring in 20,001.853125.
    """
    debt = 30000 - RECEIVED
    equity = D("0.98") * 31250 * (1 - D("0.6407")) - debt
    kept = debt * D("0.01") + debt * D("1.01") * D("0.001")
    sale = {
        "action": "sell",
        "instrument": "BTC-USDT",
        "side": "sell",
        "quantity": "0.6407",
        "notional_usd": "20021.875",
    }
    repayment = {
        "action": "repay",
        "currency": "USDT",
        "quantity": str(RECEIVED),
        "notional_usd": str(RECEIVED),
        "bankruptcy_price": format(1 + D(625) / 30000, "f"),
    }
    return {
        "step": 1,
        "phase": "tier",
        "actions": [sale, repayment],
        "expected_ratio": format(equity / kept, "f"),
    }


def spot_episode() -> Scene:
    """Owe 30,000 USDT against 1 BTC through a fall: warned, cancelled, paid down by a tier.

    BTC 32,500: 0.98 × 32,500 − 30,000 = 1,850 against 30,000 × 0.02 = 600 and
    30,000 × 1.02 × 0.001 = 30.6: 2.93. At 31,250: 625: 0.99.
    """
    scene = Scene(REFERENCE)
    scene.tick("USDT-USD", 1)
    scene.tick("BTC-USD", 60000)
    scene.event(
        "accounts",
        "A",
        **settings(
            "spot",
            snapshot={
                "balances": [
                    {"currency": "BTC", "cash": "1"},
                    {"currency": "USDT", "cash": "0", "borrowed": "30000"},
                ],
                "orders": [
                    {"account_id": "A", "ts": scene.now, **order("o1", 1, "open")},
                ],
            },
        ),
    )
    scene.heartbeat()
    scene.tick("BTC-USD", 33000)  # 2,340: 3.71, not yet
    scene.heartbeat()
    scene.tick("BTC-USD", 32500)
    warned = figures("1850", "600", "30.6", "spot", "warning")
    scene.command("episode", "A", 1, SPOT, state="opened", **warned)
    scene.command("warning", "A", 1, SPOT, state="entered", level="3", **warned)
    scene.tick("BTC-USD", 32000)  # 1,360: 2.16, nothing new
    scene.heartbeat()
    scene.tick("BTC-USD", 31800)  # 1,164: 1.85
    worse = figures("1164", "600", "30.6", "spot", "warning")
    scene.command("warning", "A", 1, SPOT, state="worsened", level="2", **worse)
    scene.tick("BTC-USD", 31250)
    fallen = figures("625", "600", "30.6", "spot", "liquidation")
    scene.command("warning", "A", 1, SPOT, state="worsened", level="1.2", **fallen)
    scene.command("order_cancel", "A", 1, SPOT, reason="ES-4", order_ids=["o1"], **fallen)
    scene.heartbeat()
    scene.event("orders", "A", **order("o1", 2, "cancelled"))
    debt = 30000 - RECEIVED
    kept = debt * D("0.01"), debt * D("1.01") * D("0.001")
    reduced = scene.command("reduction", "A", 1, SPOT, **spot_reduction(), **fallen)
    scene.heartbeat()
    scene.event(
        "fills",
        "A",
        fill_id="f1",
        order_id="x1",
        instrument="BTC-USDT",
        side="sell",
        price="31250",
        quantity="0.6407",
        fee=str(D("0.6407") * 31250 * D("0.001")),
        fee_currency="USDT",
        command_id=reduced["command_id"],
    )
    scene.tick("BTC-USD", 31240)
    scene.heartbeat()
    scene.event(
        "transfers",
        "A",
        transfer_id="t1",
        kind="repay",
        currency="USDT",
        amount=str(RECEIVED),
        command_id=reduced["command_id"],
    )
    left = D("0.98") * 31240 * (1 - D("0.6407")) - debt
    saved = figures(left, *kept, "spot", "normal")
    scene.command("warning", "A", 1, SPOT, state="cleared", level="3.15", **saved)
    scene.command("episode", "A", 1, SPOT, state="closed", **saved)
    scene.heartbeat()
    scene.tick("BTC-USD", 31300)
    scene.heartbeat()
    return scene


def swap_episode() -> Scene:
    """Long 300 BTC-USDT-SWAP (3 BTC) at 60,000 on 12,000 USDT: cut from tier 3 by RD-6.

    At 56,500 the loss is 10,500, equity 1,500; notional 169,500, maintenance 0.02 × 169,500 =
    3,390, fee 84.75: 0.43. One tier step goes down to tier 1, 100 contracts: at 200 lots closed
    the fee is 0.0005 × 113,000 = 56.5, equity 1,443.5 against 56,500 × (0.005 + 0.0005).
    """
    scene = Scene(REFERENCE)
    scene.tick("USDT-USD", 1)
    scene.tick("BTC-USDT-SWAP", 60000, "mark")
    scene.event(
        "accounts",
        "B",
        **settings(
            "multi_currency",
            snapshot={
                "balances": [{"currency": "USDT", "cash": "12000"}],
                "positions": [
                    {
                        "instrument": "BTC-USDT-SWAP",
                        "margin_mode": "cross",
                        "quantity": "300",
                        "entry_price": "60000",
                    }
                ],
            },
        ),
    )
    # 12,000 against 180,000 × 0.0205 = 3,690: 3.25
    scene.heartbeat()
    scene.tick("BTC-USDT-SWAP", 56500, "mark")
    fallen = figures("1500", "3390", "84.75", "multi_currency", "liquidation")
    scene.command("episode", "B", 1, SWAP, state="opened", **fallen)
    scene.command("warning", "B", 1, SWAP, state="entered", level="1.2", **fallen)
    # n lots closed cost 0.2825 n. Tier 2 (n ≥ 100): (1,500 − 0.2825 n) / ((300 − n) × 565 ×
    # 0.0105) is 1,471.75 / 1,186.5 = 1.24 at n = 100; tier 3 at n = 99: 1,472.03 / 2,328.1.
    expected = D("1471.75") / (200 * D(565) * D("0.0105"))
    # bankruptcy: 1,500 / 3 BTC below the mark
    action = {
        "action": "close",
        "instrument": "BTC-USDT-SWAP",
        "side": "sell",
        "position_side": "net",
        "quantity": "100",
        "notional_usd": "56500",
        "bankruptcy_price": "56000",
    }
    reduced = scene.command(
        "reduction",
        "B",
        1,
        SWAP,
        step=1,
        phase="unhedged",
        actions=[action],
        expected_ratio=format(expected, "f"),
        **fallen,
    )
    scene.heartbeat()
    scene.event(
        "fills",
        "B",
        fill_id="f1",
        order_id="x1",
        instrument="BTC-USDT-SWAP",
        side="sell",
        price="56500",
        quantity="100",
        fee="28.25",
        fee_currency="USDT",
        command_id=reduced["command_id"],
    )
    scene.heartbeat()
    scene.tick("BTC-USDT-SWAP", 57000, "mark")
    scene.heartbeat()
    return scene
