"""A small market for the tests of escalation and reduction, and an executor that obeys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from monitor.account import (
    Account,
    Balance,
    EventSource,
    OpenOrder,
    Position,
    take,
)
from monitor.escalation import Context, Episode, decide, next_deadline, observe
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from monitor.schema import (
    AccountEvent,
    Action,
    Cause,
    Command,
    Fill,
    Order,
    OrderCancel,
    PositionSide,
    Reduction,
    Tick,
    Transfer,
)

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


def reference(policy: Mapping[str, Any] | None = None) -> Reference:
    return load_reference(raw_reference(policy))


def price_book(
    ref: Reference, changed: Mapping[str, str] | None = None, now: int = START
) -> PriceBook:
    book = PriceBook()
    for offset, (key, price) in enumerate({**PRICES, **(changed or {})}.items()):
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


def with_orders(made: Account, *orders: OpenOrder) -> Account:
    made.orders = {found.order_id: found for found in orders}
    return made


class World:
    """One account, its episode and a market; time and prices move when told."""

    def __init__(
        self,
        made: Account,
        policy: Mapping[str, Any] | None = None,
        prices: Mapping[str, str] | None = None,
    ) -> None:
        self.account = made
        self.episode = Episode()
        self.reference = reference(policy)
        self.changed = dict(prices or {})
        self.now = START
        self.book = price_book(self.reference, self.changed)
        self.commands: list[Command] = []
        self._offset = 0
        self._version = 1

    @property
    def context(self) -> Context:
        cause = Cause(kind="tick", symbol="BTC-USD", price=d(1), ts=self.now)
        return Context(self.reference, self.book, self.now, cause)

    def figures(self) -> Figures:
        return assess(self.account, self.reference, self.book)

    def decide(self) -> list[Command]:
        found = decide(self.account, self.episode, self.figures(), self.context)
        self.commands += found
        return found

    def move(self, prices: Mapping[str, str] | None = None, later_ms: int = 1) -> list[Command]:
        """Let time pass with every price repeated, some changed, and decide."""
        self.now += later_ms
        self.changed.update(prices or {})
        self.book = price_book(self.reference, self.changed, self.now)
        return self.decide()

    def wait(self, later_ms: int) -> list[Command]:
        """Let time pass without a tick, and decide."""
        self.now += later_ms
        return self.decide()

    def event(self, made: AccountEvent) -> bool:
        """Apply one account event and observe it; return whether it confirmed something."""
        self._offset += 1
        topic = {Fill: "fills", Order: "orders", Transfer: "transfers"}[type(made)]
        source = EventSource(topic, 0, self._offset)
        taken = take(self.account, made, source, "", self.reference, self.now)
        assert not taken.refused, taken.refused
        confirmed = [observe(self.account, self.episode, applied) for applied in taken.applied]
        return any(confirmed)

    def _stamp(self) -> dict[str, Any]:
        seq = (self.account.account_seq or 0) + 1
        return {"account_id": self.account.account_id, "account_seq": seq, "ts": self.now}

    # -- what an executor answers -------------------------------------------------------------

    def end_order(self, order_id: str, status: str = "cancelled") -> bool:
        found = self.account.orders[order_id]
        return self.event(
            Order.model_validate(
                {
                    **self._stamp(),
                    "order_id": order_id,
                    "version": found.version + 1,
                    "instrument": found.instrument,
                    "side": found.side,
                    "position_side": found.position_side,
                    "margin_mode": found.margin_mode,
                    "price": found.price,
                    "quantity": found.quantity,
                    "filled_quantity": found.filled_quantity,
                    "status": status,
                    "reduce_only": found.reduce_only,
                    "auto_borrow": found.auto_borrow,
                }
            )
        )

    def new_order(self, made: OpenOrder, command: str | None = None, status: str = "open") -> bool:
        return self.event(
            Order.model_validate(
                {
                    **self._stamp(),
                    "order_id": made.order_id,
                    "version": made.version,
                    "instrument": made.instrument,
                    "side": made.side,
                    "position_side": made.position_side,
                    "price": made.price,
                    "quantity": made.quantity,
                    "filled_quantity": made.filled_quantity,
                    "status": status,
                    "reduce_only": made.reduce_only,
                    "auto_borrow": made.auto_borrow,
                    "command_id": command,
                }
            )
        )

    def fill(
        self,
        command: str,
        action: Action,
        quantity: Decimal | None = None,
        *,
        free: bool = False,
        order_id: str | None = None,
    ) -> bool:
        """Fill (a part of) one action at mark, at index, or at the price of a takeover."""
        assert action.instrument is not None
        entry = self.reference.instruments[action.instrument]
        amount = action.quantity if quantity is None else quantity
        spot_fee, derivative_fee = (
            self.reference.fees_of("default").spot_taker,
            self.reference.fees_of("default").derivative_taker,
        )
        if entry.kind == "spot":
            price = self.book.index(entry.underlying) / self.book.index(entry.quote)
            buys = action.side == "buy"
            fee = (amount if buys else amount * price) * spot_fee
            fee_currency = entry.underlying if buys else entry.quote
        else:
            price = self.book.mark(action.instrument)
            if action.action == "takeover":
                assert action.bankruptcy_price is not None
                price = action.bankruptcy_price
            size = entry.contract_value * entry.multiplier
            value = amount * size / price if entry.inverse else amount * size * price
            fee = Decimal(0) if free or action.action == "takeover" else value * derivative_fee
            fee_currency = entry.settle or entry.quote
        return self.event(
            Fill(
                **self._stamp(),
                fill_id=f"f{self._offset}",
                order_id=order_id or f"x{self._offset}",
                instrument=action.instrument,
                side="buy" if action.side == "buy" else "sell",
                position_side=action.position_side or "net",
                price=price,
                quantity=amount,
                fee=fee,
                fee_currency=fee_currency,
                command_id=command,
            )
        )

    def transfer(self, kind: str, coin: str, amount: Decimal, command: str | None = None) -> bool:
        return self.event(
            Transfer.model_validate(
                {
                    **self._stamp(),
                    "transfer_id": f"t{self._offset}",
                    "kind": kind,
                    "currency": coin,
                    "amount": amount,
                    "command_id": command,
                }
            )
        )

    def obey(self, command: Command) -> bool:
        """Carry a command out in full; return whether its last event confirmed it."""
        done = False
        if isinstance(command, OrderCancel):
            for name in command.order_ids:
                if name in self.account.orders:
                    done = self.end_order(name)
            return done
        assert isinstance(command, Reduction)
        for action in command.actions:
            if action.instrument is not None:
                done = self.fill(command.command_id, action, free=command.phase == "opposite")
            elif action.action == "repay":
                assert action.currency is not None
                done = self.transfer("repay", action.currency, action.quantity, command.command_id)
            else:
                done = self._take_coin(command.command_id, action.currency or "")
        return done

    def _take_coin(self, command: str, coin: str) -> bool:
        balance = self.account.balance(coin)
        left = balance.cash - balance.borrowed - balance.accrued_interest
        done = self.transfer("adjustment", coin, -left, command)
        owed = balance.borrowed + balance.accrued_interest
        return self.transfer("repay", coin, owed, command) if owed else done

    def run(self, most: int = 200) -> None:
        """Obey every command, one tick after another at standing prices, until all is at rest."""
        for _ in range(most):
            answered = False
            for command in self.move():
                if isinstance(command, OrderCancel | Reduction):
                    self.obey(command)
                    answered = True
            if not answered:
                return
        raise AssertionError(f"still busy after {most} rounds: {self.commands[-3:]}")

    def deadline(self) -> int | None:
        return next_deadline(self.episode)


def kinds(commands: Sequence[Command]) -> list[str]:
    """Name commands shortly: `warning entered`, `order_cancel ES-4`, `reduction unhedged`."""
    found = []
    for command in commands:
        more = getattr(command, "state", None) or getattr(command, "reason", None)
        found.append(f"{command.kind} {more or getattr(command, 'phase', '')}")
    return found
