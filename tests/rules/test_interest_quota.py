"""IN-2, IN-3: free parts and quotas; IN-5: funding; IN-6: what borrowing costs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from monitor.account import EventSource, OpenOrder
from monitor.engine import Engine
from monitor.escalation import Context, Episode, decide
from monitor.interest import HourBook, HourPrices, free_part, interest_table, quota
from monitor.limits import Totals
from monitor.margin import assess
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from monitor.schema import Cause, OrderCancel, Tick, Transfer
from tests.rules.interest_world import HOUR_MS, SECOND, H, Scene, rated
from tests.rules.reduction_world import account, d, price_book, raw_reference, with_orders

SHORT = {"instrument": "BTC-USDT-SWAP", "quantity": "-100", "entry_price": "60000"}
"""At a mark of 61,000 it has lost 1,000 USDT."""


def lost(policy: dict[str, Any] | None = None, cash: str = "400", **usdt: Any) -> Scene:
    """Unrealised loss of 1,000 USDT against `cash`, on the hour."""
    scene = Scene(rated(policy, **usdt)).open({"USDT": cash, "BTC": "5"}, positions=[SHORT])
    return scene.hours(0, BTC="61000").pass_hour()


# -- IN-2 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("covers", "cash", "allowed", "liability", "free"),
    [
        # 600 owed, all of it unrealised
        ("unrealised", "400", "1000", "600", "600"),
        ("unrealised", "400", "250", "600", "250"),
        ("unrealised", "400", "0", "600", "0"),
        # 1,500 owed, 500 of it negative cash: that pays from the first unit
        ("unrealised", "-500", "1000", "1500", "1000"),
        ("unrealised", "-500", "9000", "1500", "1000"),
        ("all", "-500", "1200", "1500", "1200"),
        ("all", "-500", "9000", "1500", "1500"),
        ("all", "-500", "0", "1500", "0"),
    ],
)
def test_in_2_the_free_part_with_auto_borrow(
    covers: str, cash: str, allowed: str, liability: str, free: str
) -> None:
    scene = lost({"quota_covers": covers}, cash, interest_free_quota=allowed)
    charged = d(liability) - d(free)
    if not charged:
        assert scene.notices == []
        return
    (accrued, _) = scene.notices
    assert (accrued.liability, accrued.free) == (d(liability), d(free))
    assert accrued.amount == charged * d("0.00001")


@pytest.mark.parametrize("charge", [False, True])
def test_in_2_without_auto_borrow_the_excess_is_converted_unless_the_setting_charges_it(
    charge: bool,
) -> None:
    scene = Scene(rated({"charge_when_off": charge}, interest_free_quota="300000"))
    scene.open({"USDT": "-1000000", "BTC": "100"}, auto_borrow=False).hours(0).pass_hour()
    if not charge:
        assert scene.notices == []
        return
    assert (scene.notices[0].free, scene.notices[0].amount) == (d(300_000), d(7))


def test_in_2_without_auto_borrow_an_isolated_debt_is_charged_all_the_same() -> None:
    margin = {
        "instrument": "BTC-USDT",
        "margin_mode": "isolated",
        "quantity": "-2",
        "entry_price": "60000",
        "margin": "50000",
        "margin_currency": "USDT",
        "liability": "2",
        "liability_currency": "BTC",
    }
    scene = Scene().open({"USDT": "-5"}, positions=[margin], auto_borrow=False).hours(0)
    assert scene.pass_hour().said() == [("accrued", "BTC", 0, "0.00001")]


def test_in_2_spot_mode_has_no_free_part() -> None:
    scene = Scene(rated({"quota_covers": "all"}, interest_free_quota="20000"))
    scene.open(
        mode="spot",
        auto_borrow=False,
        balances=[
            {"currency": "USDT", "cash": "-4000", "borrowed": "5000", "accrued_interest": "1000"}
        ],
    )
    (accrued, _) = scene.hours(0).pass_hour().notices
    assert (accrued.liability, accrued.free, accrued.amount) == (d(10_000), d(0), d("0.1"))


def test_in_2_auto_borrow_switched_on_within_the_window_counts_from_then_on() -> None:
    scene = Scene().open({"USDT": "-1000000", "BTC": "100"}, auto_borrow=False).hours(0)
    scene.event("accounts", H + 30 * SECOND, auto_borrow=True)
    assert scene.pass_hour().said()[0] == ("accrued", "USDT", 0, "10")


def test_in_2_the_base_is_the_greatest_difference_not_the_greatest_liability() -> None:
    """A deposit of USDC raises the quota of USDT together with what is owed."""
    more = {"interest_free_quota": "0", "quota_adds_available_of": ["USDC"]}
    scene = Scene(rated({"quota_covers": "all"}, **more)).open({"USDT": "-1000", "BTC": "9"})
    scene.hours(0)
    scene.transfer(H + 10 * SECOND, "deposit", "500", "USDC")
    scene.transfer(H + 11 * SECOND, "withdrawal", "300")
    (accrued, _) = scene.pass_hour().notices
    assert (accrued.liability, accrued.free) == (d(1000), d(0))


# -- IN-3 -------------------------------------------------------------------------------------

QUOTAS = {"USDT": "20000", "USDC": "5000", "BTC": "1", "ETH": "5", "XRP": "5000", "TRX": "30000"}


def quotas(**policy: Any) -> Reference:
    raw = raw_reference(policy)
    raw["currencies"] |= {name: {} for name in ("XRP", "TRX", "DOGE")}
    for name, amount in QUOTAS.items():
        raw["currencies"][name] |= {"interest_free_quota": amount, "yearly_rate": "0.0876"}
    raw["currencies"]["DOGE"]["yearly_rate"] = "0.0876"
    raw["currencies"]["USDT"]["quota_adds_available_of"] = ["USDC"]
    return load_reference(raw)


def _priced(reference: Reference) -> PriceBook:
    book = price_book(reference)
    for offset, name in enumerate(("XRP", "TRX", "DOGE"), 100):
        tick = Tick(symbol=f"{name}-USD", kind="index", price=d("0.5"), ts=1)
        book.take(tick, offset, reference.policy, 1)
    return book


@pytest.mark.parametrize(("coin", "free"), [*QUOTAS.items(), ("DOGE", "0")])
def test_in_3_quota_of_each_currency_one_not_listed_has_none(coin: str, free: str) -> None:
    reference = quotas(quota_covers="all")
    held = account({coin: "-40000", "SOL": "10000"})
    figures = assess(held, reference, _priced(reference))
    assert figures.unpriced == ()
    assert free_part(held, figures, coin, reference) == d(free)
    held.balances[coin].cash = d("-0.5")
    figures = assess(held, reference, _priced(reference))
    assert free_part(held, figures, coin, reference) == min(d("0.5"), d(free))


@pytest.mark.parametrize(
    ("usdc", "ordered", "total"),
    [
        ("3000", "0", "23000"),
        ("3000", "1000", "22000"),
        ("3000", "5000", "20000"),
        ("-3000", "0", "20000"),
    ],
)
def test_in_3_the_quota_of_usdt_adds_available_usdc_equity(
    usdc: str, ordered: str, total: str
) -> None:
    reference = quotas()
    held = account({"USDT": "-40000", "SOL": "10000", "USDC": usdc})
    if ordered != "0":
        with_orders(held, _buy(d(ordered)))
    figures = assess(held, reference, _priced(reference))
    assert quota(figures, "USDT", reference) == d(total)
    assert quota(figures, "USDC", reference) == 5000, "and none the other way"


def _buy(usdc: Decimal) -> OpenOrder:
    """A spot order that freezes this much USDC."""
    return OpenOrder(
        "o1",
        1,
        "BTC-USDC",
        "buy",
        "net",
        "cross",
        d(50_000),
        usdc / 50_000,
        d(0),
        False,
        True,
        None,
        1,
        None,
    )


def test_in_3_the_quota_counts_on_the_hour_with_what_usdc_was_then() -> None:
    reference = quotas(quota_covers="all")
    scene = Scene(reference).open({"USDT": "-40000", "SOL": "10000", "USDC": "3000"}).hours(0)
    scene.transfer(H + 61 * SECOND, "deposit", "9000", "USDC")
    accrued = scene.notices[0]
    assert (accrued.liability, accrued.free, accrued.amount) == (d(40_000), d(23_000), d("0.17"))


# -- IN-5 -------------------------------------------------------------------------------------


def test_in_5_funding_owed_becomes_a_liability_that_bears_interest_on_the_hour() -> None:
    scene = Scene().open({"BTC": "5"}).hours(0)
    scene.transfer(H + 5 * SECOND, "funding", "-1000", instrument="BTC-USDT-SWAP")
    assert scene.cash() == -1000
    assert scene.pass_hour().said() == [
        ("accrued", "USDT", 0, "0.01"),
        ("deducted", "USDT", 0, "0.01"),
    ]


def test_in_5_funding_received_before_the_hour_repays() -> None:
    scene = Scene().open({"USDT": "-1000", "BTC": "5"}).hours(0)
    scene.transfer(H, "funding", "1000", instrument="BTC-USDT-SWAP")
    assert scene.pass_hour().notices == []


@pytest.mark.parametrize(("funding", "reason"), [(True, "IN-5"), (False, "OC-2")])
def test_in_5_orders_that_funding_leaves_short_are_cancelled_under_its_name(
    funding: bool, reason: str
) -> None:
    reference = rated()
    held = with_orders(account({"USDC": "900", "BTC": "5"}), _buy(d(1000)))
    held.auto_borrow = False
    prices = price_book(reference)
    cause = Cause(kind="transfer", id="t", ts=H)
    context = Context(reference, prices, H, cause, funding=funding)
    commands = decide(held, Episode(), assess(held, reference, prices), context)
    cancels = [c for c in commands if isinstance(c, OrderCancel)]
    assert [(c.reason, c.order_ids) for c in cancels] == [(reason, ("o1",))]


def test_in_5_the_engine_knows_a_funding_transfer() -> None:
    reference = rated()
    engine = Engine(reference)
    engine.prices = price_book(reference)
    held = with_orders(account({"USDC": "1000", "BTC": "5"}), _buy(d(1000)))
    held.auto_borrow = False
    engine.adopt(held, Episode(), 0)
    engine.armed.add(0)
    paid = Transfer(
        account_id=held.account_id,
        transfer_id="f1",
        kind="funding",
        currency="USDC",
        amount=d(-1),
        instrument="BTC-USDT-SWAP",
        ts=H,
    )
    decision = engine.event(paid, EventSource("transfers", 0, 1), paid.model_dump_json(), H)
    assert [c.reason for c in decision.commands if isinstance(c, OrderCancel)] == ["IN-5"]


# -- IN-6 -------------------------------------------------------------------------------------


def test_in_6_every_accrual_and_deduction_says_what_it_is_made_of() -> None:
    scene = lost({"quota_covers": "all"}, "-500", interest_free_quota="1200")
    shown = [n.model_dump(mode="json") for n in scene.notices]
    assert [s["state"] for s in shown] == ["accrued", "deducted"]
    for said in shown:
        assert said["kind"] == "interest"
        assert said["account_id"] == "A1"
        assert (said["currency"], said["instrument"]) == ("USDT", None)
        assert (said["liability"], said["free"]) == ("1500", "1200")
        assert (said["yearly_rate"], said["amount"]) == ("0.0876", "0.003")
        assert said["hour"] == H
    assert [s["ts"] for s in shown] == [H + 60 * SECOND, H + 180 * SECOND]


def test_in_6_lent_out_the_last_hours_rate_and_the_estimate_for_the_next() -> None:
    curve = [{"utilisation": "0.5", "rate": "0.1"}, {"utilisation": "1", "rate": "0.5"}]
    reference = rated(platform_pool="1000", lent_out="500", utilisation_curve=curve)
    hours = HourBook()
    before = interest_table(reference, None, hours)["USDT"]
    assert (before.lent_out, before.last_hour, before.last_yearly_rate) == (d(500), None, None)
    assert before.next_yearly_rate == d("0.1")
    hours.take(HourPrices(H, {}, {"USDT": "0.2"}))
    hours.take(HourPrices(H + HOUR_MS, {}, {"USDT": "0.3"}))
    totals = Totals(H, platform={"USDT": d(750)})
    table = interest_table(reference, totals, hours)
    assert list(table) == sorted(reference.currencies)
    usdt = table["USDT"]
    assert (usdt.lent_out, usdt.platform_pool) == (d(750), d(1000))
    assert (usdt.last_hour, usdt.last_yearly_rate) == (H + HOUR_MS, d("0.3"))
    assert usdt.next_yearly_rate == d("0.3")  # halfway from 0.1 to 0.5
    assert (table["SOL"].lent_out, table["SOL"].last_yearly_rate) == (d(0), None)
