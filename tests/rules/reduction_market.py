"""A small market for the tests of escalation and reduction: reference data, prices, accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from monitor.account import Account, Balance, IsolatedPosition, OpenOrder, Position
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from monitor.schema import PositionSide, Tick

START = 1_700_000_000_000
TIERS = [
    {"up_to": "1000", "initial": "0.01", "maintenance": "0.004"},
    {"up_to": "2000", "initial": "0.02", "maintenance": "0.01"},
    {"up_to": "4000", "initial": "0.04", "maintenance": "0.02"},
    {"up_to": "8000", "initial": "0.1", "maintenance": "0.05"},
]
PRICES = {
    "BTC-USD/index": "60000",
    "ETH-USD/index": "3000",
    "USDT-USD/index": "1",
    "USDC-USD/index": "1",
    "SOL-USD/index": "100",
    "BTC-USDT-SWAP/mark": "60000",
    "BTC-USDT-FUT/mark": "60000",
    "BTC-USD-SWAP/mark": "60000",
    "ETH-USDT-SWAP/mark": "3000",
}


def d(value: str | int) -> Decimal:
    return Decimal(value)


def currency(rate: str, *borrow: tuple[str, str], **more: Any) -> dict[str, Any]:
    """One flat discount rate; borrow tiers as (up_to, maintenance)."""
    return {
        "discount_tiers": [{"up_to": "1000000000", "rate": rate}],
        "minimum_rate": rate,
        "borrow_tiers": [
            {"up_to": up_to, "initial": "0.1", "maintenance": rate_} for up_to, rate_ in borrow
        ],
        **more,
    }


def contract(family: str, underlying: str, kind: str = "swap", **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "family": family,
        "underlying": underlying,
        "quote": "USDT",
        "settle": "USDT",
        "contract_value": "0.01",
        "lot": "1",
        "tick": "0.1",
        "position_tiers": [dict(tier) for tier in TIERS],
        **more,
    }


def spot(base: str, quote: str, lot: str = "0.0001") -> dict[str, Any]:
    return {
        "kind": "spot",
        "family": f"{base}-{quote}",
        "underlying": base,
        "quote": quote,
        "lot": lot,
        "tick": "0.01",
    }


def raw_reference(policy: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "currencies": {
            "USDT": currency("1", ("1000000", "0.02"), ("2000000", "0.03"), ("4000000", "0.05")),
            "USDC": currency("0.99", ("1000000", "0.02"), liquidity_rank=2),
            "BTC": currency("0.95", ("10", "0.02"), ("20", "0.04"), liquidity_rank=1),
            "ETH": currency("0.9", ("100", "0.02"), ("200", "0.04"), liquidity_rank=3),
            "SOL": currency("0.8", liquidity_rank=4),
        },
        "instruments": {
            "BTC-USDT": spot("BTC", "USDT"),
            "ETH-USDT": spot("ETH", "USDT", "0.001"),
            "SOL-USDT": spot("SOL", "USDT", "0.01"),
            "BTC-USDC": spot("BTC", "USDC"),
            "ETH-BTC": spot("ETH", "BTC", "0.001"),
            "BTC-USDT-SWAP": contract("BTC-USDT", "BTC"),
            "BTC-USDT-FUT": contract("BTC-USDT", "BTC", "future"),
            "BTC-USD-SWAP": contract(
                "BTC-USD", "BTC", quote="USD", settle="BTC", inverse=True, contract_value="100"
            ),
            "ETH-USDT-SWAP": contract("ETH-USDT", "ETH", contract_value="0.1"),
        },
        "fees": {"default": {"spot_taker": "0.001", "derivative_taker": "0.0005"}},
        "policy": dict(policy or {}),
    }


OPTION_FACTORS = ("1", "1.5", "2", "3")
EXPIRY = START + 30 * 24 * 3600 * 1000
OPTION_PRICES = {
    "BTC-C/mark": "0.05",  # 3,000 USD at an index of 60,000
    "BTC-P/mark": "0.05",
    "BTC-USDT-C/mark": "3000",
    "BTC-USDT-P/mark": "3000",
}


def option(option_type: str, strike: str = "60000", **more: Any) -> dict[str, Any]:
    """A coin-margined option on 0.1 BTC; give `settle` and `quote` for a USD-margined one."""
    tiers = [
        {**tier, "option_factor": factor}
        for tier, factor in zip(TIERS, OPTION_FACTORS, strict=True)
    ]
    return contract(
        more.pop("family", "BTC-USD"),
        "BTC",
        "option",
        **{
            "quote": "USD",
            "settle": "BTC",
            "inverse": True,
            "contract_value": "0.1",
            "tick": "0.0001",
            "position_tiers": tiers,
            "expiry": EXPIRY,
            "strike": strike,
            "option_type": option_type,
            **more,
        },
    )


def raw_with_options(policy: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The market with options on BTC, at the money in 30 days, coin- and USDT-margined."""
    raw = raw_reference(policy)
    in_usdt: dict[str, Any] = {
        "family": "BTC-USDT",
        "quote": "USDT",
        "settle": "USDT",
        "inverse": False,
        "tick": "0.5",
    }
    raw["instruments"].update(
        {
            "BTC-C": option("call"),
            "BTC-P": option("put"),
            "BTC-USDT-C": option("call", **in_usdt),
            "BTC-USDT-P": option("put", **in_usdt),
        }
    )
    return raw


def reference(policy: Mapping[str, Any] | None = None) -> Reference:
    return load_reference(raw_reference(policy))


def price_book(
    ref: Reference, changed: Mapping[str, str] | None = None, now: int = START
) -> PriceBook:
    book = PriceBook()
    for offset, (key, price) in enumerate({**PRICES, **OPTION_PRICES, **(changed or {})}.items()):
        symbol, _, kind = key.rpartition("/")
        tick = Tick(
            symbol=symbol, kind="mark" if kind == "mark" else "index", price=d(price), ts=now
        )
        book.take(tick, offset, ref.policy, now)
    return book


def account(
    cash: Mapping[str, str] | None = None,
    positions: Sequence[tuple[str, str, str]] = (),
    *,
    mode: str = "multi_currency",
    borrowed: Mapping[str, str] | None = None,
    **more: Any,
) -> Account:
    """`positions`: (instrument or instrument/side, contracts, entry price)."""
    made = Account("A1", known=True, auto_borrow=True, **more)
    made.mode = "spot" if mode == "spot" else "multi_currency"
    made.account_seq = 0
    made.offsets = {"accounts": 7}
    for name in sorted({*(cash or {}), *(borrowed or {})}):
        made.balances[name] = Balance(
            d((cash or {}).get(name, "0")), d((borrowed or {}).get(name, "0"))
        )
    for place, quantity, entry in positions:
        name, _, side = place.partition("/")
        held: PositionSide = "long" if side == "long" else "short" if side == "short" else "net"
        made.positions[f"{name}/{held}"] = Position(name, held, d(quantity), d(entry))
        if held != "net":
            made.position_mode = "long_short"
    return made


def order(
    order_id: str,
    instrument: str,
    side: str,
    quantity: str,
    price: str | None = None,
    **more: Any,
) -> OpenOrder:
    fields: dict[str, Any] = {
        "version": 1,
        "position_side": "net",
        "margin_mode": "cross",
        "filled_quantity": d(0),
        "reduce_only": False,
        "auto_borrow": True,
        "leverage": None,
        "created_ts": START,
        "command_id": None,
    }
    fields.update(more)
    return OpenOrder(
        order_id=order_id,
        instrument=instrument,
        side="buy" if side == "buy" else "sell",
        quantity=d(quantity),
        price=d(price) if price is not None else None,
        **fields,
    )


def isolated(
    made: Account, instrument: str, quantity: str, entry: str, margin: str, **more: Any
) -> str:
    """Give the account an isolated position; return its key."""
    side = more.pop("side", "net")
    coin = more.pop("margin_currency", "USDT")
    key = f"{instrument}/isolated/{side}"
    made.isolated[key] = IsolatedPosition(
        instrument, side, d(quantity), d(entry), d(margin), coin, **more
    )
    return key


def with_orders(made: Account, *orders: OpenOrder) -> Account:
    made.orders = {found.order_id: found for found in orders}
    return made
