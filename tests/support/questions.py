"""Questions asked in the small market of `reduction_world`, and seeded accounts that ask them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from monitor.account import Account, IsolatedPosition, OpenOrder, Position
from monitor.limits import Totals
from monitor.questions import QUESTIONS, Question, answer
from monitor.reference import Reference, load_reference
from monitor.schema.checks import CheckAnswer, CheckKind
from tests.rules.reduction_world import START, account, d, order, price_book, raw_reference

__all__ = ["NO_FEE", "Desk", "Scene", "plain_desk", "seeded_scene"]

NO_FEE = {"default": {"spot_taker": "0", "derivative_taker": "0"}}
NONE_BORROWED = Totals(START)


@dataclass(frozen=True)
class Desk:
    """Where questions are asked: one reference set, prices and totals."""

    reference: Reference
    prices: Mapping[str, str] | None = None
    totals: Totals | None = NONE_BORROWED
    now: int = START

    def ask(self, held: Account, kind: CheckKind, **question: Any) -> CheckAnswer:
        return self.put(held, QUESTIONS[kind].model_validate(question))

    def put(self, held: Account, question: Question) -> CheckAnswer:
        book = price_book(self.reference, self.prices)
        return answer(held, question, self.reference, book, self.totals, self.now)


def plain_desk(
    policy: Mapping[str, Any] | None = None,
    *,
    rate: str = "0.98",
    fees: Mapping[str, Any] | None = None,
    currencies: Mapping[str, Mapping[str, Any]] | None = None,
    instruments: Mapping[str, Mapping[str, Any]] | None = None,
    totals: Totals | None = NONE_BORROWED,
    prices: Mapping[str, str] | None = None,
) -> Desk:
    """SPEC's worked examples: BTC and ETH at one rate, fees left out unless given."""
    raw = raw_reference(policy)
    raw["fees"] = dict(fees or NO_FEE)
    for name in ("BTC", "ETH"):
        raw["currencies"][name] |= {
            "discount_tiers": [{"up_to": "1000000000", "rate": rate}],
            "minimum_rate": rate,
        }
    for name, more in (currencies or {}).items():
        raw["currencies"].setdefault(name, {}).update(more)
    for name, more in (instruments or {}).items():
        raw["instruments"].setdefault(name, {}).update(more)
    return Desk(load_reference(raw), prices, totals)


# -- seeded scenes ----------------------------------------------------------------------------

_TIERS = (("5", "0.01", "0.004"), ("20", "0.05", "0.01"), ("60", "0.1", "0.05"))
_PRICES = {
    "BTC-USDT": "60000",
    "ETH-USDT": "3000",
    "ETH-BTC": "0.05",
    "BTC-USDT-SWAP": "60000",
    "BTC-USD-SWAP": "60000",
    "ETH-USDT-SWAP": "3000",
    "BTC-USD-C": "0.03",
    "BTC-USD-P": "0.03",
}
_SPOT = ("BTC-USDT", "ETH-USDT", "ETH-BTC")
_LOTS = {"BTC-USDT": "0.01", "ETH-USDT": "0.1", "ETH-BTC": "0.1"}
_OPTIONS = ("BTC-USD-C", "BTC-USD-P")


@dataclass(frozen=True)
class Scene:
    """One account and one question whose size is asked for."""

    desk: Desk
    held: Account
    kind: CheckKind
    question: dict[str, Any]
    lot: Decimal

    def at(self, size: Decimal) -> CheckAnswer:
        field = "quantity" if self.kind == "order" else "amount"
        return self.desk.ask(self.held, self.kind, **{**self.question, field: size})


def seeded_scene(seed: int, kinds: tuple[CheckKind, ...]) -> Scene:
    """Return an account with steep and crooked tiers around it, and what it asks."""
    rng = Random(seed)
    kind = rng.choice(kinds)
    desk = _desk(rng)
    spot_mode = kind == "borrow" or rng.random() < 0.4
    held = _account(rng, spot_mode=spot_mode)
    if kind == "order":
        return _order_scene(rng, desk, held)
    coin = rng.choice(["USDT", "BTC", "ETH", "SOL"])
    return Scene(desk, held, kind, {"currency": coin}, Decimal("1e-8"))


def _desk(rng: Random) -> Desk:
    raw = raw_reference(
        {
            "coin_check": rng.choice(["fee", "margin_and_fee"]),
            "manual_margin_at_1x": rng.random() < 0.5,
        }
    )
    coins, instruments = raw["currencies"], raw["instruments"]
    steep = (("1000", "0.1", "10"), ("5000", "0.25", "4"), ("20000", "0.5", "2"))
    coins["USDT"]["borrow_tiers"] = [
        {"up_to": up_to, "initial": initial, "maintenance": "0.02", "max_leverage": leverage}
        for up_to, initial, leverage in (*steep, ("100000", "1", "1"))
    ]
    if rng.random() < 0.3:  # a tier above may ask less
        coins["USDT"]["borrow_tiers"][2]["initial"] = "0.05"
    middle = "1" if rng.random() < 0.3 else "0.9"  # a slice above may count more
    coins["BTC"]["discount_tiers"] = [
        {"up_to": up_to, "rate": rate}
        for up_to, rate in (("0.1", "0.98"), ("0.3", middle), ("1", "0.5"))
    ]
    coins["BTC"]["minimum_rate"] = "0"
    coins["ETH"] |= {
        "discount_tiers": [{"up_to": "3000", "rate": "0.9"}, {"up_to": "20000", "rate": "0.7"}],
        "tier_unit": "usd",
    }
    if rng.random() < 0.3:
        coins["USDT"]["vip_caps"] = {"5": "8000"}
    if rng.random() < 0.3:
        coins["ETH"]["platform_pool"] = "4"
    tiers = [{"up_to": u, "initial": i, "maintenance": m} for u, i, m in _TIERS]
    for name in _PRICES:
        if name in _SPOT:
            instruments[name]["lot"] = _LOTS[name]
        elif name not in _OPTIONS:
            instruments[name]["position_tiers"] = tiers
    for name, side in zip(_OPTIONS, ("call", "put"), strict=True):
        instruments[name] = {
            "kind": "option",
            "family": "BTC-USD",
            "underlying": "BTC",
            "quote": "USD",
            "settle": "BTC",
            "inverse": True,
            "contract_value": "0.01",
            "lot": "1",
            "tick": "0.0001",
            "strike": "60000",
            "option_type": side,
            "expiry": START + 10**9,
            "position_tiers": [
                {**tier, "option_factor": factor}
                for tier, factor in zip(tiers, ("1", "1.5", "1.2"), strict=True)
            ],
        }
    totals = Totals(START, {"M": {"USDT": d(3000)}}, {"ETH": d(1)})
    marks = {f"{name}/mark": "0.03" for name in _OPTIONS}
    return Desk(load_reference(raw), marks, totals if rng.random() < 0.8 else None)


def _account(rng: Random, *, spot_mode: bool) -> Account:
    units = {"BTC": d("0.001"), "ETH": d("0.01"), "USDT": d(20)}
    cash = {c: str(rng.randint(-200, 800) * u) for c, u in units.items() if rng.random() < 0.8}
    owes = spot_mode and rng.random() < 0.4
    borrowed = {"USDT": str(rng.randint(0, 300))} if owes else None
    held = account(cash, mode="spot" if spot_mode else "multi_currency", borrowed=borrowed)
    held.auto_borrow = rng.random() < 0.7
    held.vip_level, held.main_account_id = "5", "M"
    held.borrow_leverage = {"*": Decimal(rng.choice([1, 2, 5]))}
    held.leverage = {name: Decimal(rng.choice([1, 3, 10])) for name in _PRICES}
    hedged = not spot_mode and rng.random() < 0.3
    held.position_mode = "long_short" if hedged else "net"
    for name in () if spot_mode else _PRICES:
        if name not in _SPOT and rng.random() < 0.35:
            side = rng.choice(["long", "short"]) if hedged else "net"
            sign = {"long": 1, "short": -1}.get(side, rng.choice([1, -1]))
            held.positions[f"{name}/{side}"] = Position(
                name,
                "long" if side == "long" else "short" if side == "short" else "net",
                Decimal(sign * rng.randint(1, 30)),
                d(_PRICES[name]),
            )
    if not spot_mode and rng.random() < 0.3:
        held.isolated["BTC-USDT/isolated/net"] = IsolatedPosition(
            "BTC-USDT", "net", d("0.1"), d(60000), d(1000), "USDT", d(6), d(6000), "USDT"
        )
    for number in range(rng.choice([0, 0, 1, 2, 4])):
        found = _order(rng, held, f"o{number}")
        held.orders[found.order_id] = found
    return held


def _order(rng: Random, held: Account, order_id: str) -> OpenOrder:
    name = rng.choice(_SPOT if held.mode == "spot" else tuple(_PRICES))
    on_spot = name in _SPOT
    hedged = held.position_mode == "long_short" and not on_spot
    isolated = held.mode != "spot" and name not in _OPTIONS and rng.random() < 0.2
    price = str(d(_PRICES[name]) * rng.randint(90, 110) / 100) if rng.random() < 0.8 else None
    return order(
        order_id,
        name,
        rng.choice(["buy", "sell"]),
        str(rng.randint(1, 30) * d(_LOTS.get(name, "1"))),
        price,
        position_side=rng.choice(["long", "short"]) if hedged else "net",
        margin_mode="isolated" if isolated else "cross",
        reduce_only=not on_spot and rng.random() < 0.15,
        auto_borrow=rng.random() < 0.6,
        leverage=d(5) if rng.random() < 0.3 else None,
    )


def _order_scene(rng: Random, desk: Desk, held: Account) -> Scene:
    """Half of those who have orders change one."""
    if held.orders and rng.random() < 0.5:
        known = held.orders[rng.choice(sorted(held.orders))]
        asked: dict[str, Any] = {
            "order_id": known.order_id,
            "instrument": known.instrument,
            "side": known.side,
        }
    else:
        known = _order(rng, held, "asked")
        names = ("instrument", "side", "position_side", "margin_mode", "price", "reduce_only")
        asked = {name: getattr(known, name) for name in (*names, "auto_borrow", "leverage")}
    lot = desk.reference.instruments[known.instrument].lot
    return Scene(desk, held, "order", asked, lot)
