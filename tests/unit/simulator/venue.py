"""A small exchange for the tests: BTC and ETH, spot, linear and inverse perpetuals, options."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from streams.simulator import Catalogue, Exchange, Executor, SimulateSettings, wire

T0 = 1_700_000_000_000
TIERS = [{"up_to": "1000", "initial": "0.01", "maintenance": "0.004", "max_leverage": "100"}]
BORROW = [
    {"up_to": "10", "initial": "0.1", "maintenance": "0.02", "max_leverage": "10"},
    {"up_to": "10000000", "initial": "0.2", "maintenance": "0.04", "max_leverage": "5"},
]
CALL, PUT = "BTC-USD-261225-60000-C", "BTC-USD-261225-40000-P"
REFERENCE: dict[str, Any] = {
    "currencies": {
        "USDT": {
            "discount_tiers": [{"up_to": "1000000", "rate": "1"}],
            "borrow_tiers": BORROW,
            "interest_free_quota": "20000",
            "yearly_rate": "0.0876",
        },
        "BTC": {
            "discount_tiers": [{"up_to": "20", "rate": "0.98"}],
            "borrow_tiers": BORROW,
            "yearly_rate": "0.0438",
        },
        "ETH": {"discount_tiers": [{"up_to": "400", "rate": "0.98"}]},
    },
    "instruments": {
        "BTC-USDT": {
            "kind": "spot",
            "family": "BTC-USDT",
            "underlying": "BTC",
            "quote": "USDT",
            "lot": "0.00000001",
            "tick": "0.1",
        },
        "BTC-USDT-SWAP": {
            "kind": "swap",
            "family": "BTC-USDT",
            "underlying": "BTC",
            "quote": "USDT",
            "settle": "USDT",
            "contract_value": "0.01",
            "lot": "0.1",
            "tick": "0.1",
            "position_tiers": TIERS,
        },
        "BTC-USD-SWAP": {
            "kind": "swap",
            "family": "BTC-USD",
            "underlying": "BTC",
            "quote": "USD",
            "settle": "BTC",
            "inverse": True,
            "contract_value": "100",
            "lot": "1",
            "tick": "0.1",
            "position_tiers": TIERS,
        },
        **{
            name: {
                "kind": "option",
                "family": "BTC-USD",
                "underlying": "BTC",
                "quote": "USD",
                "settle": "BTC",
                "inverse": name == PUT,  # whatever it says: an option's price is in its coin
                "contract_value": "0.1",
                "lot": "1",
                "tick": "0.0005",
                "expiry": 1_798_185_600_000,
                "strike": name.split("-")[3],
                "option_type": "call" if name.endswith("C") else "put",
                "position_tiers": TIERS,
            }
            for name in (CALL, PUT)
        },
    },
    "fees": {
        "default": {"spot_taker": "0.001", "derivative_taker": "0.0005"},
        "vip": {"spot_taker": "0.0006", "derivative_taker": "0.0003"},
    },
}
CATALOGUE = Catalogue.of(REFERENCE)


class Clock:
    """A wall clock that stands where a test puts it."""

    def __init__(self) -> None:
        self.ms = T0

    def __call__(self) -> int:
        return self.ms


class Venue:
    """An exchange with its executor, its clock, and what it sent, decoded."""

    def __init__(self, catalogue: Catalogue = CATALOGUE, **settings: Any) -> None:
        self.clock = Clock()
        self.exchange = Exchange(
            catalogue, SimulateSettings(**{"slippage_bps": 0.0, **settings}), wall=self.clock
        )
        self.executor = Executor(self.exchange)
        self.seq = 0
        self.opening: wire.AccountEvent | None = None
        self.tick("USDT-USD", "1")
        self.tick("BTC-USD", "50000")
        self.tick("BTC-USDT-SWAP", "50000", kind="mark")
        self.tick("BTC-USD-SWAP", "50000", kind="mark")
        self.tick(CALL, "0.02", kind="mark")
        self.tick(PUT, "0.01", kind="mark")

    def tick(self, symbol: str, price: str, kind: str = "index", ts: int | None = None) -> None:
        self.seq += 1
        at = self.clock.ms if ts is None else ts
        self.exchange.on_tick(wire.Tick(symbol, kind, price, at, self.seq))  # type: ignore[arg-type]

    def open(
        self,
        cash: dict[str, str],
        positions: Iterable[tuple[str, str, str, str]] = (),
        borrowed: dict[str, str] | None = None,
        orders: Iterable[wire.Order] = (),
        isolated: Iterable[wire.Position] = (),
        **fields: Any,
    ) -> str:
        """Open account `a`: cross positions are (instrument, side, quantity, entry)."""
        owed = borrowed or {}
        event = wire.AccountEvent(
            **{
                "account_id": "a",
                "mode": "multi_currency",
                "auto_borrow": True,
                "position_mode": "net",
                "ts": T0,
                "account_seq": 1,
                **fields,
            },
            snapshot=wire.Snapshot(
                [wire.Balance(c, cash.get(c, "0"), owed.get(c, "0")) for c in {**cash, **owed}],
                [
                    *(
                        wire.Position(name, quantity, entry, side, "cross")  # type: ignore[arg-type]
                        for name, side, quantity, entry in positions
                    ),
                    *isolated,
                ],
                list(orders),
            ),
        )
        self.opening = event
        self.exchange.books.apply(event)
        return event.account_id

    def command(self, topic: str, **fields: Any) -> None:
        """Give the executor a command; `actions` are dicts."""
        raw = {
            "command_id": "c1",
            "kind": "order_cancel" if topic == "order-cancels" else "reduction",
            "account_id": "a",
            "episode_id": "a#1",
            "sequence": 3,
            "attempt": 1,
            "expires_at": T0 + 30_000,
            **fields,
        }
        self.executor.on_command(topic, wire.decode_command(wire.encode(raw)))

    def pass_ms(self, milliseconds: int) -> list[Any]:
        """Let time pass in steps of 10 ms; return what was sent meanwhile."""
        for _ in range(0, milliseconds, 10):
            self.clock.ms += 10
            self.exchange.run_due()
        return self.sent()

    def sent(self) -> list[Any]:
        """Return and forget what is in the outbox."""
        events = [wire.decode_event(topic, value) for topic, _, value in self.exchange.outbox]
        self.exchange.outbox.clear()
        return events

    @property
    def account(self) -> Any:
        return self.exchange.books.accounts["a"]

    def cash(self, coin: str) -> Decimal:
        return self.exchange.books.accounts["a"].cash[coin]


def apart(
    name: str, quantity: str, entry: str, margin: str, side: str = "net", **fields: Any
) -> wire.Position:
    """Return an isolated position of a snapshot."""
    return wire.Position(
        name,
        quantity,
        entry,
        side,  # type: ignore[arg-type]
        "isolated",
        margin=margin,
        **fields,
    )


def limit_order(order_id: str, side: str, price: str, quantity: str, **fields: Any) -> wire.Order:
    """Return an open limit order of account `a`."""
    return wire.Order(
        **{
            "account_id": "a",
            "order_id": order_id,
            "version": 1,
            "instrument": "BTC-USDT-SWAP",
            "side": side,
            "position_side": "net",
            "margin_mode": "cross",
            "price": price,
            "quantity": quantity,
            "filled_quantity": "0",
            "status": "open",
            "reduce_only": False,
            "auto_borrow": False,
            "created_ts": T0,
            "ts": T0,
            **fields,
        }
    )
