"""What a subject's commands leave behind: cancels by their reason, steps, conversions (ES)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from monitor.schema import AccountSettings, OrderCancel, Reduction
from streams.verify.book import Book
from streams.verify.folding import applied
from streams.verify.standing import Pending, Standing, advanced, named_orders
from tests.verify.scene import START
from tests.verify.test_rules_again import reference
from tests.verify.worked import settings

SENT: dict[str, Any] = {
    "command_id": "c1",
    "account_id": "A",
    "episode_id": "A#1",
    "sequence": 1,
    "mode": "multi_currency",
    "band": "warning",
    "ratio": "2",
    "adjusted_equity": "2",
    "maintenance_margin": "1",
    "liquidation_fee": "0",
    "cause": {"kind": "timer", "ts": START},
    "prices": {},
    "rules": [],
    "decided_at": START,
    "expires_at": START + 30_000,
    "inputs": {"book": {}, "ticks": {}, "reference": ""},
}


def cancel(reason: str, *names: str) -> OrderCancel:
    """Return a cancel as it was sent."""
    return OrderCancel.model_validate({**SENT, "reason": reason, "order_ids": names})


def step(kind: str) -> Reduction:
    """Return a step as it was sent."""
    action = {"action": "repay", "currency": "USDT", "quantity": "1", "notional_usd": "1"}
    phase = "auto_exchange" if kind == "auto_exchange" else "unhedged"
    fields = {"kind": kind, "step": 1, "phase": phase, "actions": [action], "expected_ratio": "3"}
    return Reduction.model_validate({**SENT, **fields})


def with_orders() -> Book:
    """Return a book with the open orders o1 to o4."""
    orders = [
        {
            "account_id": "A",
            "ts": START,
            "order_id": f"o{number}",
            "version": 1,
            "instrument": "BTC-USDT",
            "side": "buy",
            "price": "1",
            "quantity": "1",
            "filled_quantity": "0",
            "status": "open",
            "reduce_only": False,
            "auto_borrow": True,
        }
        for number in range(1, 5)
    ]
    message = settings("multi_currency", snapshot={"balances": [], "orders": orders})
    event = AccountSettings.model_validate({"account_id": "A", "ts": START, **message})
    return applied(None, event, reference())


def named(standing: Standing) -> set[str]:
    """Return what pending cancels name while these orders are open."""
    return set(named_orders(standing, with_orders(), 1, START))


def test_oc_2_a_cancel_stands_beside_those_of_other_reasons() -> None:
    standing = Standing().opened()
    for one in (cancel("OC-1", "o1"), cancel("OC-2", "o2"), cancel("OC-2", "o3")):
        standing = advanced(standing, one)

    assert named(standing) == {"o1", "o3"}


def test_es_4_a_cancel_of_every_order_stands_alone() -> None:
    standing = Standing().opened()
    for one in (cancel("OC-1", "o1"), cancel("OC-3", "o2"), cancel("ES-4", "o1", "o4")):
        standing = advanced(standing, one)

    assert named(standing) == {"o1", "o4"}


def test_es_6_what_ran_out_of_attempts_is_stuck_however_late_that_is_found() -> None:
    """A worker that was not ready for long comes to it after it has expired."""
    book, late = with_orders(), START + 40_000
    pending = Pending(cancel("ES-4", "o1"))
    assert pending.over(book, 1, late)
    assert pending.unconfirmed(book)
    assert not replace(pending, stuck_at=1).unconfirmed(book)
    assert not Pending(cancel("ES-4", "o9")).unconfirmed(book)  # there is no such order any more


def test_in_4_a_conversion_is_a_step_but_no_reduction() -> None:
    converted = advanced(Standing().opened(), step("auto_exchange"))
    reduced = advanced(converted, step("reduction"))

    assert (converted.steps, converted.reduced) == (1, False)
    assert (reduced.steps, reduced.reduced) == (2, True)
