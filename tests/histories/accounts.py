"""Seeded accounts of every kind the rules know: cross, isolated, hedged, with options, in debt."""

from __future__ import annotations

import copy
from decimal import Decimal
from random import Random
from typing import Any

from monitor.account import Account, IsolatedPosition, Position
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from tests.support.markets import PRICES, RAW, START, wild_account, with_ratio

__all__ = ["OPENING", "make_account", "make_reference"]

_DAY = 24 * 3_600_000
_EXPIRY = START + 60 * _DAY


def _option(kind: str, strike: str, coin: bool) -> dict[str, Any]:
    return {
        "kind": "option",
        "family": "BTC-USD" if coin else "BTC-USDT",
        "underlying": "BTC",
        "quote": "USD" if coin else "USDT",
        "settle": "BTC" if coin else "USDT",
        "inverse": False,
        "contract_value": "0.01",
        "lot": "1",
        "tick": "0.0001" if coin else "0.1",
        "expiry": _EXPIRY,
        "strike": strike,
        "option_type": kind,
        "position_tiers": [
            {"up_to": "100", "initial": "0", "maintenance": "0", "option_factor": "1"},
            {"up_to": "1000", "initial": "0", "maintenance": "0", "option_factor": "1.2"},
        ],
    }


_OPTIONS = {
    "BTC-USD-66000-C": (_option("call", "66000", True), "0.05"),
    "BTC-USD-54000-P": (_option("put", "54000", True), "0.03"),
    "BTC-USDT-60000-P": (_option("put", "60000", False), "3900"),
}
_RAW = copy.deepcopy(RAW)
_RAW["instruments"].update({name: entry for name, (entry, _) in _OPTIONS.items()})
_RAW["currencies"]["BTC"].update(platform_pool="100000", yearly_rate="0.05")
_RAW["currencies"]["USDT"].update(interest_free_quota="20000", yearly_rate="0.08")
OPENING = {**PRICES, **{f"{name}/mark": mark for name, (_, mark) in _OPTIONS.items()}}
"""Price key → first price."""

_SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"sale_order": "highest_rate_first", "tier_steps_down": 1},
    {"debt_size": "smallest", "spot_cancel_scope": "all"},
    {"takeover_at_first_tier": True, "liquidation_exit": "1.1"},
    {"quota_covers": "all", "conversion_order": "lowest_rate_first"},
)


def make_reference(rng: Random) -> Reference:
    """A reference set with one of several mixtures of settings."""
    policy = {"max_age_seconds": {"*": "100000"}, **rng.choice(_SETTINGS)}
    return load_reference({**_RAW, "policy": policy})


def make_account(rng: Random, name: str, reference: Reference, prices: PriceBook) -> Account:
    """An account of any shape, often near a level."""
    account = wild_account(rng, name, reference, prices)
    account.positions = {
        key: held
        for key, held in account.positions.items()
        if reference.instruments[held.instrument].kind != "option"
    }
    account.orders = {
        key: order
        for key, order in account.orders.items()
        if reference.instruments[order.instrument].kind != "option"
    }
    if account.mode == "multi_currency":
        if rng.random() < 0.3:
            _add_options(rng, account, prices)
        if rng.random() < 0.35:
            _add_isolated(rng, account, prices)
        if rng.random() < 0.8:
            level = rng.choice(("3.15", "3", "1.5", "1.2", "1", "0.5", "0"))
            near = rng.choice(("0", "0.0001", "-0.0001", "0.01", "-0.1", "0.1"))
            with_ratio(account, reference, prices, Decimal(level) + Decimal(near))
    return account


def _add_options(rng: Random, account: Account, prices: PriceBook) -> None:
    side = account.position_mode == "long_short"
    for name in _OPTIONS:
        if rng.random() < 0.5:
            continue
        quantity = Decimal(rng.choice((-150, -100, -40, -5, 5, 60)))
        place = "net" if not side else "long" if quantity > 0 else "short"
        account.positions[f"{name}/{place}"] = Position(
            name,
            "net" if place == "net" else "long" if place == "long" else "short",
            quantity,
            prices.mark(name),
        )


def _add_isolated(rng: Random, account: Account, prices: PriceBook) -> None:
    sides = ("net",) if account.position_mode == "net" else ("long", "short")
    for name, settle, value in (
        ("BTC-USDT-SWAP", "USDT", "0.01"),
        ("ETH-USDT-SWAP", "USDT", "0.1"),
        ("BTC-USD-SWAP", "BTC", "100"),
    ):
        if rng.random() < 0.5:
            continue
        side = rng.choice(sides)
        contracts = Decimal(rng.choice((5, 40, 100, 350, 800)))
        short = side == "short" or (side == "net" and rng.random() < 0.5)
        mark = prices.mark(name)
        leverage = Decimal(rng.choice((2, 5, 20, 50)))
        worth = contracts * Decimal(value) * (1 / mark if settle == "BTC" else mark)
        key = f"{name}/isolated/{side}"
        account.leverage = {**account.leverage, key: leverage}
        account.isolated[key] = IsolatedPosition(
            name,
            "net" if side == "net" else "short" if side == "short" else "long",
            -contracts if short else contracts,
            mark,
            worth / leverage,
            settle,
            leverage,
        )
    if rng.random() < 0.4:
        _add_margin_position(rng, account, prices)


def _add_margin_position(rng: Random, account: Account, prices: PriceBook) -> None:
    """MR-3: ETH bought with borrowed USDT, or sold from borrowed ETH, on a margin of its own."""
    price = prices.index("ETH") / prices.index("USDT")
    quantity = Decimal(rng.choice(("0.5", "2", "8")))
    leverage = Decimal(rng.choice((2, 5, 9)))
    long = rng.random() < 0.5
    key = "ETH-USDT/isolated/net"
    account.leverage = {**account.leverage, key: leverage}
    account.isolated[key] = IsolatedPosition(
        "ETH-USDT",
        "net",
        quantity if long else -quantity,
        price,
        quantity * price / leverage,
        "USDT",
        leverage,
        quantity * price if long else quantity,
        "USDT" if long else "ETH",
    )
