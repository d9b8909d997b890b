"""Worked reduction steps: options, hedged pairs, caps and small debts (RD), by hand from SPEC."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.verify.scene import Scene
from tests.verify.worked import BORROWER, REFERENCE, SPOT, SWAP, figures, settings

D = Decimal
CALL = "BTC-USD-231229-60000-C"
HEDGED = (f"{CALL}/mark", "BTC-USD/index", *SWAP)


def _deal(name: str, instrument: str, side: str, quantity: str, price: str) -> dict[str, Any]:
    return {
        "fill_id": name,
        "order_id": f"x{name}",
        "instrument": instrument,
        "side": side,
        "quantity": quantity,
        "price": price,
    }


def sold_call() -> Scene:
    """Be short 1 BTC of calls and long 1 BTC of swaps: a tenth of both is closed.

    At BTC 120,000 a call with strike 60,000 marked at 0.5 BTC is worth what it is in the money, so
    that its volatility is 0 and its delta 1: ten swaps of 0.01 BTC for each call of 0.1.
    """
    scene = Scene(REFERENCE)
    scene.tick("USDT-USD", 1)
    scene.tick("BTC-USD", 100000)
    scene.tick("BTC-USDT-SWAP", 100000, "mark")
    scene.tick(CALL, "0.1", "mark")
    held = [
        {"instrument": CALL, "quantity": "-10", "entry_price": "0.05"},
        {"instrument": "BTC-USDT-SWAP", "quantity": "100", "entry_price": "100000"},
    ]
    snapshot = {"balances": [{"currency": "BTC", "cash": "0.85"}], "positions": held}
    scene.event("accounts", "O", **settings("multi_currency", snapshot=snapshot))
    # 0.98 × 75,000 against (0.03 + 0.1) × 100,000 + 500 and 2 × 50: 5.40
    scene.heartbeat()
    scene.tick("BTC-USDT-SWAP", 120000, "mark")
    scene.tick("BTC-USD", 120000)  # 88,200 + 20,000 against 15,600 + 600 + 120: 6.63
    scene.heartbeat()
    scene.tick(CALL, "0.5", "mark")
    # 0.98 × 0.35 × 120,000 + 20,000 against 0.53 × 120,000 + 600 and 2 × 60: 0.95
    fallen = figures(61160, 64200, 120, "multi_currency", "liquidation")
    scene.command("episode", "O", 1, HEDGED, state="opened", **fallen)
    scene.command("warning", "O", 1, HEDGED, state="entered", level="1.2", **fallen)
    # A tenth costs 0.000025 BTC × 0.98 and 6 USDT of fees: 8.94; the requirement falls by 6,432.
    expected = D("61151.06") / 57888
    bought = {
        "action": "close",
        "instrument": CALL,
        "side": "buy",
        "position_side": "net",
        "quantity": "1",
        "notional_usd": "12000",
        "bankruptcy_price": "1.0166",  # 0.5 + (0.35 + 20,000 / 120,000), down to the tick
        "fee_usd": "3",
        "from_tier": 1,
    }
    sold = {
        "action": "close",
        "instrument": "BTC-USDT-SWAP",
        "side": "sell",
        "position_side": "net",
        "quantity": "10",
        "notional_usd": "12000",
        "bankruptcy_price": "58840",
        "fee_usd": "6",
        "from_tier": 1,
    }
    reduced = scene.command(
        "reduction",
        "O",
        1,
        HEDGED,
        step=1,
        phase="delta_neutral",
        actions=[sold, bought],
        expected_ratio=format(expected, "f"),
        **fallen,
    )
    scene.heartbeat()
    told = {"command_id": reduced["command_id"]}
    buying = _deal("f1", CALL, "buy", "1", "0.5")
    scene.event("fills", "O", fee="0.000025", fee_currency="BTC", **buying, **told)
    scene.heartbeat()
    selling = _deal("f2", "BTC-USDT-SWAP", "sell", "10", "120000")
    scene.event("fills", "O", fee="6", fee_currency="USDT", **selling, **told)
    scene.heartbeat()
    scene.tick(CALL, "0.1", "mark")
    # (0.85 − 0.05 − 0.000025 − 0.09) × 117,600 + 20,000 − 6 against nine tenths of 16,320
    clear = figures("103487.06", 14580, 108, "multi_currency", "normal")
    scene.command("warning", "O", 1, HEDGED, state="cleared", level="3.15", **clear)
    scene.command("episode", "O", 1, HEDGED, state="closed", **clear)
    scene.heartbeat()
    scene.tick("BTC-USD", 120001)
    scene.heartbeat()
    return scene


CAP = "20000"


def swap_holders(*accounts: str) -> Scene:
    """Return accounts that are long 300 contracts at 60,000 with 12,000 USDT; 20,000 USD a second."""
    policy = {**REFERENCE["policy"], "symbol_caps": {"*": CAP}}
    scene = Scene({**REFERENCE, "policy": policy})
    scene.tick("USDT-USD", 1)
    scene.tick("BTC-USDT-SWAP", 60000, "mark")
    held = [{"instrument": "BTC-USDT-SWAP", "quantity": "300", "entry_price": "60000"}]
    snapshot = {"balances": [{"currency": "USDT", "cash": "12000"}], "positions": held}
    for account in accounts:
        scene.event("accounts", account, **settings("multi_currency", snapshot=snapshot))
    scene.heartbeat()
    scene.tick("BTC-USDT-SWAP", 56500, "mark")
    return scene


CUT = {
    "action": "close",
    "instrument": "BTC-USDT-SWAP",
    "side": "sell",
    "position_side": "net",
    "quantity": "35",
    "notional_usd": "19775",
    "bankruptcy_price": "56000",
    "fee_usd": "9.8875",
    "from_tier": 3,
    "to_tier": 3,
    "capped_usd": CAP,
}
_FALLEN = figures("1500", "3390", "84.75", "multi_currency", "liquidation")


def cut_step(scene: Scene, account: str) -> dict[str, Any]:
    """Warn of an account and close 35 of the 100 contracts: 565 USD each, 20,000 a second (RD-6)."""
    scene.command("episode", account, 1, SWAP, state="opened", **_FALLEN)
    scene.command("warning", account, 1, SWAP, state="entered", level="1.2", **_FALLEN)
    # 35 contracts cost 35 × 0.2825 and leave 265 × 565 × 0.0205.
    expected = (1500 - 35 * D("0.2825")) / (265 * 565 * D("0.0205"))
    return scene.command(
        "reduction",
        account,
        1,
        SWAP,
        step=1,
        phase="unhedged",
        actions=[CUT],
        expected_ratio=format(expected, "f"),
        **_FALLEN,
    )


def capped() -> Scene:
    """Close what the cap leaves of a step; the market recovers before the next."""
    scene = swap_holders("P")
    command = cut_step(scene, "P")
    scene.heartbeat()
    scene.tick("BTC-USDT-SWAP", 60500, "mark")
    # 12,000 + 1,500 against 300 × 605 × 0.0205: 3.63
    clear = figures("13500", "3630", "90.75", "multi_currency", "normal")
    scene.command("warning", "P", 1, SWAP, state="cleared", level="3.15", **clear)
    scene.heartbeat()
    deal = _deal("f1", "BTC-USDT-SWAP", "sell", "35", "60500")
    fee = str(35 * 605 * D("0.0005"))
    scene.event(
        "fills", "P", fee=fee, fee_currency="USDT", command_id=command["command_id"], **deal
    )
    notional = 265 * D(605)
    after = figures(
        13500 - D(fee), notional * D("0.02"), notional * D("0.0005"), "multi_currency", "normal"
    )
    scene.command("episode", "P", 1, SWAP, state="closed", **after)
    scene.heartbeat()
    scene.tick("BTC-USDT-SWAP", 60510, "mark")
    scene.heartbeat()
    return scene


SMALL = D("0.0045") * 31250 * D("0.999")


def small_debt_step() -> Scene:
    """Owe 30,000 USDT on 1 BTC at 31,250, ratio 0.99, and pay as little as brings it above 1.

    n lots of 0.0001 BTC bring in 3.121875 n and cost 3.0625 n of collateral: (625 + 0.059375 n) /
    (630.6 − 0.0656218125 n) passes 1 at n = 45.
    """
    policy = {**REFERENCE["policy"], "debt_size": "smallest"}
    scene = Scene({**REFERENCE, "policy": policy})
    scene.tick("USDT-USD", 1)
    scene.tick("BTC-USD", 60000)
    scene.event("accounts", "Q", **BORROWER)
    scene.heartbeat()
    scene.tick("BTC-USD", 31250)
    fallen = figures("625", "600", "30.6", "spot", "liquidation")
    scene.command("episode", "Q", 1, SPOT, state="opened", **fallen)
    scene.command("warning", "Q", 1, SPOT, state="entered", level="1.2", **fallen)
    sale = {
        "action": "sell",
        "instrument": "BTC-USDT",
        "side": "sell",
        "quantity": "0.0045",
        "notional_usd": "140.625",
        "fee_usd": "0.140625",
        "from_tier": 2,
    }
    repayment = {
        "action": "repay",
        "currency": "USDT",
        "quantity": str(SMALL),
        "notional_usd": str(SMALL),
        "bankruptcy_price": format(1 + D(625) / 30000, "f"),
    }
    debt = 30000 - SMALL
    scene.command(
        "reduction",
        "Q",
        1,
        SPOT,
        step=1,
        phase="tier",
        actions=[sale, repayment],
        expected_ratio=format((625 + 45 * D("0.059375")) / (debt * D("0.02102")), "f"),
        **fallen,
    )
    scene.heartbeat()
    return scene
