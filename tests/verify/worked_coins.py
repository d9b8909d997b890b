"""Worked episodes about single coins (OC-2, OC-3, IN-4, IN-5): computed by hand from SPEC."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.verify.scene import Scene
from tests.verify.worked import REFERENCE, SPOT, figures, settings

D = Decimal
ORDERED = ("BTC-USD/index", "ETH-USD/index", "USDT-USD/index")


def buy(name: str, quantity: str, created: int, **fields: Any) -> dict[str, Any]:
    """Return a buy of BTC at 60,000 that may not borrow."""
    return {
        "order_id": name,
        "version": 1,
        "instrument": "BTC-USDT",
        "side": "buy",
        "price": "60000",
        "quantity": quantity,
        "filled_quantity": "0",
        "status": "open",
        "reduce_only": False,
        "auto_borrow": False,
        "created_ts": created,
        **fields,
    }


def lost(quantity: str) -> Decimal:
    """Return what a buy at 60,000 takes: BTC counts 0.98 and pays the fee (AE-2)."""
    return D(quantity) * 60000 * (1 - D("0.98") * D("0.999"))


def _market() -> Scene:
    scene = Scene(REFERENCE)
    scene.tick("USDT-USD", 1)
    scene.tick("ETH-USD", 3000)
    scene.tick("BTC-USD", 60000)
    return scene


def _later(scene: Scene, *, late: bool) -> None:
    """Let a worker say, when `late`, that it has passed what is answered only two ticks later."""
    if late:
        scene.heartbeat()
        scene.tick("BTC-USD", 60001)
        scene.tick("BTC-USD", 60000)


def order_past_the_cash(*, late: bool = False) -> Scene:
    """OC-2: 5,400 USDT are ordered for, 5,000 are left: the newest order goes, 2,400 are free."""
    scene = _market()
    orders = [
        {"account_id": "E", "ts": scene.now, **buy(name, quantity, created)}
        for name, quantity, created in (("o2", "0.05", 1), ("o1", "0.04", 2))
    ]
    snapshot = {"balances": [{"currency": "USDT", "cash": "6000"}], "orders": orders}
    scene.event("accounts", "E", **settings("spot", snapshot=snapshot))
    scene.heartbeat()
    withdrawn = {"transfer_id": "w1", "kind": "withdrawal", "currency": "USDT", "amount": "1000"}
    scene.event("transfers", "E", **withdrawn)
    _later(scene, late=late)
    short = figures(5000 - lost("0.09"), 0, 0, "spot", "normal")
    scene.command("episode", "E", 1, SPOT, state="opened", **short)
    scene.command("order_cancel", "E", 1, SPOT, reason="OC-2", order_ids=["o1"], **short)
    scene.heartbeat()
    scene.tick("BTC-USD", 60001)
    scene.heartbeat()
    scene.event("orders", "E", **buy("o1", "0.04", 2, version=2, status="cancelled"))
    served = figures(5000 - lost("0.05"), 0, 0, "spot", "normal")
    scene.command("episode", "E", 1, SPOT, state="closed", **served)
    scene.heartbeat()
    scene.tick("BTC-USD", 60000)
    scene.heartbeat()
    return scene


def order_past_the_cash_by_funding() -> Scene:
    """IN-5: funding of 1,000 leaves 2,000 USDT for an order of 3,000; auto-borrow is off."""
    scene = _market()
    orders = [{"account_id": "F", "ts": scene.now, **buy("o1", "0.05", 1)}]
    snapshot = {"balances": [{"currency": "USDT", "cash": "3000"}], "orders": orders}
    account = settings("multi_currency", snapshot=snapshot)
    scene.event("accounts", "F", **{**account, "auto_borrow": False})
    scene.heartbeat()
    paid = {"transfer_id": "f1", "kind": "funding", "currency": "USDT", "amount": "-1000"}
    scene.event("transfers", "F", instrument="BTC-USDT-SWAP", **paid)
    cause = {"kind": "transfer", "id": "f1", "ts": scene.now}
    short = figures(2000 - lost("0.05"), 0, 0, "multi_currency", "normal")
    scene.command("episode", "F", 1, SPOT, state="opened", cause=cause, **short)
    scene.command(
        "order_cancel", "F", 1, SPOT, reason="IN-5", order_ids=["o1"], cause=cause, **short
    )
    scene.heartbeat()
    scene.event("orders", "F", **buy("o1", "0.05", 1, version=2, status="cancelled"))
    free = figures(2000, 0, 0, "multi_currency", "normal")
    scene.command("episode", "F", 1, ("USDT-USD/index",), state="closed", **free)
    scene.heartbeat()
    scene.tick("BTC-USD", 60001)
    scene.heartbeat()
    return scene


def borrowed_past_the_cap(cap: str = "2", *, late: bool = False) -> Scene:
    """OC-3: a sale of 3 ETH that nobody has would borrow 3; the VIP level's cap is 2.

    It takes its fee of 9 USD (AE-2); 9,000 × 0.02 and 9,000 × 1.02 × 0.001 are asked for.
    """
    scene = Scene(
        {**REFERENCE, "currency:ETH": {**REFERENCE["currency:ETH"], "vip_caps": {"1": cap}}}
    )
    scene.tick("USDT-USD", 1)
    scene.tick("ETH-USD", 3000)
    scene.tick("BTC-USD", 60000)
    sale = buy("o1", "3", 1, instrument="ETH-USDT", side="sell", price="3000")
    orders = [{"account_id": "G", "ts": scene.now, **sale}]
    snapshot = {"balances": [{"currency": "BTC", "cash": "1"}], "orders": orders}
    scene.event("accounts", "G", **settings("multi_currency", vip_level=1, snapshot=snapshot))
    _later(scene, late=late)
    past = figures(58800 - 9, 180, D("9.18"), "multi_currency", "normal")
    scene.command("episode", "G", 1, ORDERED, state="opened", **past)
    scene.command("order_cancel", "G", 1, ORDERED, reason="OC-3", order_ids=["o1"], **past)
    scene.heartbeat()
    scene.event("orders", "G", **{**sale, "version": 2, "status": "cancelled"})
    free = figures(58800, 0, 0, "multi_currency", "normal")
    scene.command("episode", "G", 1, ("BTC-USD/index",), state="closed", **free)
    scene.heartbeat()
    scene.tick("BTC-USD", 60001)
    scene.heartbeat()
    return scene


SOLD = D("0.1669")
BROUGHT = SOLD * 60000 * D("0.999")


def converted(*, late: bool = False) -> Scene:
    """IN-4: 12,000 USDT owed, 2,000 of them free: BTC is sold for 10,000 and the fee.

    10,000 / (60,000 × 0.999) = 0.16683…, by lots 0.1669 BTC, which bring in 10,003.986.
    """
    quota = {**REFERENCE["currency:USDT"], "interest_free_quota": "2000"}
    scene = Scene({**REFERENCE, "currency:USDT": quota})
    scene.tick("USDT-USD", 1)
    scene.tick("BTC-USD", 60000)
    cash = [{"currency": "BTC", "cash": "1"}, {"currency": "USDT", "cash": "-12000"}]
    account = settings("multi_currency", snapshot={"balances": cash})
    scene.event("accounts", "H", **{**account, "auto_borrow": False})
    _later(scene, late=late)
    owing = figures(58800 - 12000, 240, D("12.24"), "multi_currency", "normal")
    scene.command("episode", "H", 1, SPOT, state="opened", **owing)
    left = 12000 - BROUGHT
    after = D("0.98") * 60000 * (1 - SOLD) - left
    asked = left * D("0.01"), left * D("0.00101")
    sale = {
        "action": "sell",
        "instrument": "BTC-USDT",
        "currency": "BTC",
        "side": "sell",
        "quantity": "0.1669",
        "notional_usd": "10014",
        "fee_usd": "10.014",
        "from_tier": 2,
        "to_tier": 1,
    }
    command = scene.command(
        "auto_exchange",
        "H",
        1,
        SPOT,
        step=1,
        phase="auto_exchange",
        actions=[sale],
        expected_ratio=format(after / sum(asked), "f"),
        **owing,
    )
    scene.heartbeat()
    scene.event(
        "fills",
        "H",
        fill_id="f1",
        order_id="x1",
        instrument="BTC-USDT",
        side="sell",
        price="60000",
        quantity="0.1669",
        fee="10.014",
        fee_currency="USDT",
        command_id=command["command_id"],
    )
    settled = figures(after, *asked, "multi_currency", "normal")
    scene.command("episode", "H", 1, SPOT, state="closed", **settled)
    scene.heartbeat()
    scene.tick("BTC-USD", 60001)
    scene.heartbeat()
    return scene
