"""How commands about isolated positions, options and conversions are carried out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from streams.simulator import Faults, wire
from tests.unit.simulator.test_execution import CLOSE, fills_of, total
from tests.unit.simulator.venue import CALL, T0, Venue, apart, limit_order

D = Decimal
SWAP = "BTC-USDT-SWAP"


def own_close(instrument: str, quantity: str, side: str = "sell", **fields: Any) -> dict[str, Any]:
    """Return the fields of a command that closes an isolated position."""
    place = fields.pop("position_side", "net")
    return {
        "position": f"{instrument}/isolated/{place}",
        "episode_id": f"a/{instrument}/isolated/{place}#1",
        "phase": "tier",
        "actions": [
            {
                **CLOSE,
                "instrument": instrument,
                "side": side,
                "position_side": place,
                "quantity": quantity,
                **fields,
            }
        ],
    }


def test_mr_3_a_reduction_with_a_position_closes_the_isolated_one_alone() -> None:
    venue = Venue()
    venue.open(
        {"USDT": "1000"},
        [(SWAP, "net", "100", "50000")],
        isolated=[apart(SWAP, "20", "51000", "500")],
    )
    venue.command("reductions", **own_close(SWAP, "8"))
    events = venue.pass_ms(3_000)
    fills = fills_of(events)
    assert total(fills) == 8
    assert {e.margin_mode for e in events} == {"isolated"}
    assert {e.command_id for e in events} == {"c1"}
    assert (events[-1].status, events[-1].reduce_only) == ("filled", True)
    assert venue.account.isolated[SWAP, "net"].quantity == 12
    assert venue.account.positions[SWAP, "net"].quantity == 100
    # 8 / 20 of the margin, −1,000 × 0.08 BTC, and 0.05 % of 4,000
    assert venue.cash("USDT") == 1000 + 200 - 80 - 2


def test_mr_3_in_hedge_mode_only_its_side_is_closed() -> None:
    venue = Venue()
    sides = [apart(SWAP, "9", "50000", "450", side) for side in ("long", "short")]
    venue.open({"USDT": "100"}, position_mode="long_short", isolated=sides)
    venue.command("reductions", **own_close(SWAP, "9", "buy", position_side="short"))
    assert {f.position_side for f in fills_of(venue.pass_ms(3_000))} == {"short"}
    assert {key[1] for key in venue.account.isolated} == {"long"}


@pytest.mark.parametrize(("quantity", "side"), [("0.2", "sell"), ("-0.2", "buy")])
def test_mr_3_a_margin_position_closes_through_its_spot_instrument(
    quantity: str, side: str
) -> None:
    venue = Venue()
    venue.open({"USDT": "100", "BTC": "0"}, isolated=[apart("BTC-USDT", quantity, "50000", "2500")])
    venue.command("reductions", **own_close("BTC-USDT", "0.05", side))
    fills = fills_of(venue.pass_ms(3_000))
    assert total(fills) == D("0.05")
    assert {f.fee_currency for f in fills} == {"USDT"}  # no debt in the other coin
    assert venue.cash("BTC") == 0
    # a quarter of the margin, and 0.1 % of 2,500
    assert venue.cash("USDT") == 100 + 625 - D("2.5")
    held = venue.account.isolated["BTC-USDT", "net"]
    assert abs(held.quantity) == D("0.15")
    assert held.liability == (7500 if side == "sell" else D("0.15"))


def test_mr_3_no_more_is_closed_than_is_held_and_an_order_ends_cancelled() -> None:
    venue = Venue()
    venue.open({"USDT": "100"}, isolated=[apart(SWAP, "3.2", "50000", "450")])
    venue.command("reductions", **own_close(SWAP, "5"))
    events = venue.pass_ms(3_000)
    assert total(fills_of(events)) == D("3.2")
    assert (events[-1].status, events[-1].filled_quantity) == ("cancelled", "3.2")
    venue.command("reductions", **own_close(SWAP, "5"), attempt=2)
    assert venue.pass_ms(3_000) == []


def test_mr_3_partial_answers_copies_and_expiry_are_as_for_any_command() -> None:
    venue = Venue(faults=Faults(partial=1.0))
    venue.open({"USDT": "100"}, isolated=[apart(SWAP, "30", "50000", "4500")])
    venue.command("reductions", **own_close(SWAP, "10"))
    venue.command("reductions", **own_close(SWAP, "10"))
    events = venue.pass_ms(3_000)
    filled = total(fills_of(events))
    assert 0 < filled < 10
    assert (events[-1].status, D(events[-1].filled_quantity)) == ("cancelled", filled)
    late = own_close(SWAP, "10") | {"command_id": "c2", "sequence": 4, "expires_at": T0}
    venue.command("reductions", **late)
    assert venue.pass_ms(3_000) == []
    assert venue.exchange.counters.expired == 1


def test_rd_7_an_isolated_position_is_taken_at_its_bankruptcy_price_and_nothing_else() -> None:
    venue = Venue()
    orders = [
        limit_order("own", "buy", "40000", "1", margin_mode="isolated"),
        limit_order("cross", "buy", "40000", "1"),
        limit_order("other", "buy", "40000", "0.1", instrument="BTC-USDT", margin_mode="isolated"),
    ]
    venue.open(
        {"USDT": "777", "BTC": "0.5"},
        [(SWAP, "net", "10", "50000")],
        isolated=[apart(SWAP, "10", "52000", "150.03")],
        orders=orders,
    )
    # 52,000 − 1,500.3, up to the tick
    command = own_close(SWAP, "10", action="takeover", bankruptcy_price="50499.7")
    venue.command("reductions", **{**command, "phase": "takeover"})
    events = venue.pass_ms(1_000)
    (fill,) = fills_of(events)
    assert (fill.price, fill.fee, fill.margin_mode, fill.quantity) == (
        "50499.7",
        "0",
        "isolated",
        "10",
    )
    assert set(venue.account.orders) == {"cross", "other"}
    assert not venue.account.isolated
    assert venue.account.positions[SWAP, "net"].quantity == 10
    assert (venue.cash("USDT"), venue.cash("BTC")) == (D(777), D("0.5"))
    assert not [e for e in events if isinstance(e, wire.Transfer)]


def test_rd_7_a_margin_position_is_taken_with_its_debt() -> None:
    venue = Venue()
    position = apart("BTC-USDT", "-0.1", "50000", "1000", accrued_interest="0.0001")
    venue.open({"USDT": "777"}, isolated=[position])
    # margin 1,000 = 0.1 × (p − 50,000) + 0.0001 × p
    price = "59940"
    command = own_close("BTC-USDT", "0.1", "buy", action="takeover", bankruptcy_price=price)
    venue.command("reductions", **{**command, "phase": "takeover"})
    venue.pass_ms(1_000)
    assert not venue.account.isolated
    assert venue.cash("USDT") == 777 + 1000 - 994 - D("5.994")


def test_rd_7_a_takeover_of_the_account_leaves_isolated_positions_and_long_options() -> None:
    venue = Venue()
    venue.open(
        {"USDT": "-9000", "BTC": "0.1"},
        [(SWAP, "net", "30", "52000"), (CALL, "net", "5", "0.02")],
        isolated=[apart(SWAP, "10", "52000", "900")],
        orders=[limit_order("own", "buy", "40000", "1", margin_mode="isolated")],
    )
    taken = {"action": "takeover", "instrument": SWAP, "side": "sell", "quantity": "30"}
    actions = [
        {**taken, "bankruptcy_price": "63200"},
        {"action": "takeover", "currency": "BTC", "side": "sell", "quantity": "0.1"},
        {"action": "takeover", "currency": "USDT", "side": "buy", "quantity": "5640"},
    ]
    venue.command("reductions", phase="takeover", actions=actions)
    venue.pass_ms(1_000)
    assert set(venue.account.positions) == {(CALL, "net")}
    assert venue.account.isolated[SWAP, "net"].margin == 900
    assert not venue.account.orders
    assert (venue.cash("USDT"), venue.cash("BTC")) == (D(0), D(0))


def test_rd_2_a_short_option_of_a_pair_is_bought_back_at_mark() -> None:
    venue = Venue(slippage_bps=5.0)
    venue.open(
        {"USDT": "5000", "BTC": "1"}, [(SWAP, "net", "100", "50000"), (CALL, "net", "-8", "1")]
    )
    venue.tick(CALL, "0.02345", kind="mark")
    actions = [CLOSE, {**CLOSE, "instrument": CALL, "side": "buy", "quantity": "3"}]
    venue.command("reductions", phase="delta_neutral", actions=actions)
    fills = [f for f in fills_of(venue.pass_ms(5_000)) if f.instrument == CALL]
    assert total(fills) == 3
    assert {(f.price, f.fee_currency) for f in fills} == {("0.02345", "BTC")}
    premium = D("0.3") * D("0.02345")
    assert venue.cash("BTC") == 1 - premium - sum(D(f.fee) for f in fills)
    assert 0 <= sum(D(f.fee) for f in fills) - premium * D("0.0005") < D("4e-12")
    assert venue.account.positions[CALL, "net"].quantity == -5


def test_in_4_a_conversion_sells_for_the_owed_coin_and_bears_its_command() -> None:
    venue = Venue()
    venue.open({"USDT": "-25000", "BTC": "2"}, auto_borrow=False)
    action = {"action": "sell", "instrument": "BTC-USDT", "side": "sell", "quantity": "0.12"}
    command = {"kind": "auto_exchange", "phase": "auto_exchange", "actions": [action]}
    venue.command("reductions", **command)
    venue.command("reductions", **command)
    events = venue.pass_ms(3_000)
    assert total(fills_of(events)) == D("0.12")
    assert {e.command_id for e in events} == {"c1"}
    assert (events[-1].status, events[-1].filled_quantity) == ("filled", "0.12")
    # 6,000 less 0.1 %
    assert venue.cash("USDT") == -25000 + 5994


@pytest.mark.parametrize("reason", ["OC-1", "OC-2", "OC-3", "IN-5", "ES-4"])
def test_oc_orders_end_cancelled_whatever_the_reason_isolated_ones_too(reason: str) -> None:
    venue = Venue()
    orders = [
        limit_order("one", "buy", "40000", "1"),
        limit_order("two", "buy", "40000", "1", margin_mode="isolated"),
        limit_order("three", "buy", "40000", "0.1", instrument="BTC-USDT"),
    ]
    venue.open({"USDT": "1000"}, orders=orders)
    venue.command("order-cancels", reason=reason, order_ids=["one", "two"])
    events = venue.pass_ms(1_000)
    assert [(e.order_id, e.status, e.margin_mode) for e in events] == [
        ("one", "cancelled", "cross"),
        ("two", "cancelled", "isolated"),
    ]
    assert set(venue.account.orders) == {"three"}


@pytest.mark.parametrize(
    "position", ["", "BTC-USDT-SWAP", "BTC-USDT-SWAP/cross/net", "x/isolated/up"]
)
def test_a_command_about_no_position_is_counted_and_left_alone(position: str) -> None:
    venue = Venue()
    venue.open({"USDT": "1000"}, [(SWAP, "net", "10", "50000")])
    venue.command("reductions", phase="tier", position=position, actions=[CLOSE])
    assert venue.pass_ms(1_000) == []
    assert venue.exchange.counters.bad_messages == 1
