"""Worked episodes of isolated positions (MR-3): every figure was computed by hand from SPEC."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.verify.scene import Scene
from tests.verify.worked import REFERENCE, SWAP, figures, settings

D = Decimal

CONTRACT = "BTC-USDT-SWAP/isolated/net"
ON_MARGIN = "ETH-USDT/isolated/net"
ETH = ("ETH-USD/index", "USDT-USD/index")


def own(equity: Any, notional: Any, rate: str, fee: str, band: str) -> dict[str, Any]:
    """Return the figures of a position of some notional (debt) at its rates."""
    asked, paid = D(notional) * D(rate), D(notional) * D(fee)
    return figures(equity, asked, paid, "multi_currency", band)


def isolated_order(version: int, status: str) -> dict[str, Any]:
    """Return the fields of a buy of 10 contracts at 50,000 for the isolated position."""
    return {
        "order_id": "o1",
        "version": version,
        "instrument": "BTC-USDT-SWAP",
        "margin_mode": "isolated",
        "side": "buy",
        "price": "50000",
        "quantity": "10",
        "filled_quantity": "0",
        "status": status,
        "reduce_only": False,
        "auto_borrow": True,
    }


def isolated_contract(*, late: bool = False) -> Scene:
    """Hold 150 contracts at 60,000, 10x: warned, its order cancelled, two tiers become one.

    When `late` it is warned of when the price is there a second time.
    Margin 9,000, 1.5 BTC. At P: (9,000 + 1.5 (P − 60,000)) / (1.5 P × (0.01 + 0.0005)).
    """
    scene = Scene(REFERENCE)
    scene.tick("USDT-USD", 1)
    scene.tick("BTC-USDT-SWAP", 60000, "mark")
    held = {
        "instrument": "BTC-USDT-SWAP",
        "margin_mode": "isolated",
        "quantity": "150",
        "entry_price": "60000",
        "margin": "9000",
        "leverage": "10",
    }
    orders = [{"account_id": "C", "ts": scene.now, **isolated_order(1, "open")}]
    cash = [{"currency": "USDT", "cash": "1000"}]
    snapshot = {"balances": cash, "positions": [held], "orders": orders}
    scene.event("accounts", "C", **settings("multi_currency", snapshot=snapshot))
    scene.heartbeat()
    scene.tick("BTC-USDT-SWAP", 57000, "mark")  # 4,500 / 897.75: 5.01
    scene.heartbeat()
    for price in (55500, 57000) if late else ():
        scene.tick("BTC-USDT-SWAP", price, "mark")
    scene.tick("BTC-USDT-SWAP", 55500, "mark")  # 2,250 / 874.125: 2.57
    warned = own(2250, 83250, "0.01", "0.0005", "warning")
    scene.command("episode", "C", 1, SWAP, CONTRACT, state="opened", **warned)
    scene.command("warning", "C", 1, SWAP, CONTRACT, state="entered", level="3", **warned)
    scene.heartbeat()
    scene.tick("BTC-USDT-SWAP", 54500, "mark")  # 750 / 858.375: 0.87
    fallen = own(750, 81750, "0.01", "0.0005", "liquidation")
    scene.command("warning", "C", 1, SWAP, CONTRACT, state="worsened", level="1.2", **fallen)
    scene.command("order_cancel", "C", 1, SWAP, CONTRACT, reason="ES-4", order_ids=["o1"], **fallen)
    scene.heartbeat()
    scene.event("orders", "C", **isolated_order(2, "cancelled"))
    # Closing keeps margin, PnL and notional in step, so that the ratio changes with the tier alone:
    # 100 contracts are in tier 1, 500 / (54,500 × 0.0055) = 1.67. Bankrupt at 60,000 − 9,000 / 1.5.
    action = {
        "action": "close",
        "instrument": "BTC-USDT-SWAP",
        "side": "sell",
        "position_side": "net",
        "quantity": "50",
        "notional_usd": "27250",
        "bankruptcy_price": "54000",
        "fee_usd": "13.625",
        "from_tier": 2,
        "to_tier": 1,
    }
    reduced = scene.command(
        "reduction",
        "C",
        1,
        SWAP,
        CONTRACT,
        step=1,
        phase="tier",
        actions=[action],
        expected_ratio=format(D(500) / (54500 * D("0.0055")), "f"),
        **fallen,
    )
    scene.heartbeat()
    scene.event("fills", "C", **isolated_fill("f1", "54500", "50", "13.625", reduced))
    scene.heartbeat()
    scene.tick("BTC-USDT-SWAP", 58000, "mark")  # 6,000 − 2,000 against 58,000 × 0.0055
    clear = own(4000, 58000, "0.005", "0.0005", "normal")
    scene.command("warning", "C", 1, SWAP, CONTRACT, state="cleared", level="3.15", **clear)
    scene.command("episode", "C", 1, SWAP, CONTRACT, state="closed", **clear)
    scene.tick("BTC-USDT-SWAP", 58500, "mark")
    scene.heartbeat()
    return scene


def isolated_fill(
    name: str, price: str, quantity: str, fee: str, command: dict[str, Any]
) -> dict[str, Any]:
    """Return the fields of the fill that carries out a command about a position."""
    action = command["actions"][0]
    return {
        "fill_id": name,
        "order_id": f"x{name}",
        "instrument": action["instrument"],
        "margin_mode": "isolated",
        "side": action["side"],
        "price": price,
        "quantity": quantity,
        "fee": fee,
        "fee_currency": "USDT",
        "command_id": command["command_id"],
    }


def margin_position() -> Scene:
    """Hold 10 ETH at 3,000, 3x, on 30,000 USDT of debt: paid down by a tier, then taken over.

    Margin 10,000. At E: 10,000 + 10 (E − 3,000) against 30,000 × 0.02 and 30,000 × 1.02 × 0.001.
    """
    scene = Scene(REFERENCE)
    scene.tick("USDT-USD", 1)
    scene.tick("ETH-USD", 3000)
    held = {
        "instrument": "ETH-USDT",
        "margin_mode": "isolated",
        "quantity": "10",
        "entry_price": "3000",
        "margin": "10000",
        "leverage": "3",
    }
    cash = [{"currency": "USDT", "cash": "1000"}]
    snapshot = {"balances": cash, "positions": [held]}
    scene.event("accounts", "D", **settings("multi_currency", snapshot=snapshot))
    scene.heartbeat()
    scene.tick("ETH-USD", 2200)  # 2,000 / 630.6: 3.17, not yet
    scene.heartbeat()
    scene.tick("ETH-USD", 2180)
    warned = own(1800, 30000, "0.02", "0.00102", "warning")
    scene.command("episode", "D", 1, ETH, ON_MARGIN, state="opened", **warned)
    scene.command("warning", "D", 1, ETH, ON_MARGIN, state="entered", level="3", **warned)
    scene.tick("ETH-USD", 2060)
    fallen = own(600, 30000, "0.02", "0.00102", "liquidation")
    scene.command("warning", "D", 1, ETH, ON_MARGIN, state="worsened", level="1.2", **fallen)
    # Two thirds of the debt, 6.667 ETH by lots, leave 9,999 USDT in tier 1 and a third of the rest.
    left = 10 - D("6.667")
    expected = (1000 * left + left * (2060 - 3000)) / (3000 * left * D("0.01101"))
    action = {
        "action": "close",
        "instrument": "ETH-USDT",
        "side": "sell",
        "position_side": "net",
        "quantity": "6.667",
        "notional_usd": "13734.02",
        "bankruptcy_price": "2000",
        "fee_usd": "13.73402",
        "from_tier": 2,
        "to_tier": 1,
    }
    reduced = scene.command(
        "reduction",
        "D",
        1,
        ETH,
        ON_MARGIN,
        step=1,
        phase="tier",
        actions=[action],
        expected_ratio=format(expected, "f"),
        **fallen,
    )
    scene.heartbeat()
    scene.event("fills", "D", **isolated_fill("f1", "2060", "6.667", "13.73402", reduced))
    scene.heartbeat()
    # 1,000 × 3.333 − 3.333 × 999 = 3.333 is less than the fee of closing it all, 6.669333
    scene.tick("ETH-USD", 2001)
    ruined = own(left, 3000 * left, "0.01", "0.00101", "liquidation")
    taken = {
        "action": "takeover",
        "instrument": "ETH-USDT",
        "side": "sell",
        "position_side": "net",
        "quantity": "3.333",
        "notional_usd": str(left * 2001),
        "bankruptcy_price": "2000",
        "from_tier": 1,
    }
    takeover = scene.command(
        "reduction",
        "D",
        1,
        ETH,
        ON_MARGIN,
        step=2,
        phase="takeover",
        actions=[taken],
        expected_ratio=None,
        **ruined,
    )
    scene.heartbeat()
    scene.event("fills", "D", **isolated_fill("f2", "2000", "3.333", "0", takeover))
    # Nothing is left that could have a price.
    gone = figures(0, 0, 0, "multi_currency", "normal")
    scene.command("warning", "D", 1, (), ON_MARGIN, state="cleared", level="3.15", **gone)
    scene.command("episode", "D", 1, (), ON_MARGIN, state="closed", **gone)
    scene.heartbeat()
    scene.tick("ETH-USD", 2000)
    scene.heartbeat()
    return scene
