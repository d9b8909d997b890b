"""An account in that small market, and an executor that obeys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from monitor.account import Account, EventSource, OpenOrder, take
from monitor.contracts import trade_value
from monitor.escalation import Context, Episode, decide, next_deadline, observe
from monitor.margin import Figures, assess
from monitor.reduction import Capped, Caps, Plan, plan, plan_isolated
from monitor.reference import load_reference
from monitor.schema import (
    AccountEvent,
    Action,
    Cause,
    Command,
    Fill,
    Order,
    OrderCancel,
    Reduction,
    Transfer,
)
from tests.rules.reduction_market import (
    EXPIRY,
    OPTION_FACTORS,
    OPTION_PRICES,
    PRICES,
    START,
    TIERS,
    account,
    contract,
    currency,
    d,
    isolated,
    option,
    order,
    price_book,
    raw_reference,
    raw_with_options,
    reference,
    spot,
    with_orders,
)

__all__ = [
    "EXPIRY",
    "OPTION_FACTORS",
    "OPTION_PRICES",
    "PRICES",
    "START",
    "TIERS",
    "World",
    "account",
    "contract",
    "currency",
    "d",
    "isolated",
    "kinds",
    "option",
    "order",
    "price_book",
    "raw_reference",
    "raw_with_options",
    "reference",
    "spot",
    "with_orders",
]


class World:
    """One account, its episode and a market; time and prices move when told."""

    def __init__(
        self,
        made: Account,
        policy: Mapping[str, Any] | None = None,
        prices: Mapping[str, str] | None = None,
        raw: Mapping[str, Any] | None = None,
    ) -> None:
        """`raw` is a reference file with a policy of its own; then `policy` is not read."""
        self.account = made
        self.episode = Episode()
        self.reference = reference(policy) if raw is None else load_reference(raw)
        self.caps: Caps | None = None
        self.changed = dict(prices or {})
        self.now = START
        self.book = price_book(self.reference, self.changed)
        self.commands: list[Command] = []
        self._offset = 0
        self._version = 1

    @property
    def context(self) -> Context:
        cause = Cause(kind="tick", symbol="BTC-USD", price=d(1), ts=self.now)
        return Context(self.reference, self.book, self.now, cause, caps=self.caps)

    def figures(self) -> Figures:
        return assess(self.account, self.reference, self.book)

    def plan(self, key: str | None = None) -> Plan | Capped | None:
        """Return the next step of the account, or of its isolated position `key`."""
        if key is None:
            return plan(self.account, self.figures(), self.context)
        return plan_isolated(self.account, key, self.figures(), self.context)

    def planned(self, key: str | None = None) -> Plan:
        found = self.plan(key)
        assert isinstance(found, Plan)
        return found

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
        isolated: bool = False,
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
            if isolated:  # a margin position's fee is in the quote coin
                fee, fee_currency = amount * price * spot_fee, entry.quote
        else:
            price = self.book.mark(action.instrument)
            size = entry.contract_value * entry.multiplier
            fee = trade_value(entry, size, amount, price) * derivative_fee
            fee_currency = entry.settle or entry.quote
        if action.action == "takeover":
            assert action.bankruptcy_price is not None
            price = action.bankruptcy_price
        if free or action.action == "takeover":
            fee = Decimal(0)
        return self.event(
            Fill(
                **self._stamp(),
                fill_id=f"f{self._offset}",
                order_id=order_id or f"x{self._offset}",
                instrument=action.instrument,
                side="buy" if action.side == "buy" else "sell",
                position_side=action.position_side or "net",
                margin_mode="isolated" if isolated else "cross",
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
        apart = command.position is not None
        return self._act(command.command_id, command.actions, command.phase, isolated=apart)

    def carry_out(self, found: Plan, key: str | None = None) -> None:
        """Fill a plan of the account, or of its isolated position `key`, as if it were commanded."""
        self._act("plan", found.actions, found.phase, isolated=key is not None)

    def _act(self, command: str, actions: Sequence[Action], phase: str, *, isolated: bool) -> bool:
        done = False
        for action in actions:
            if action.instrument is not None:
                free = phase == "opposite"
                done = self.fill(command, action, free=free, isolated=isolated)
            elif action.action == "repay":
                assert action.currency is not None
                done = self.transfer("repay", action.currency, action.quantity, command)
            else:
                done = self._take_coin(command, action.currency or "")
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
