"""The worked numbers of SPEC against the second reading of the rules."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from monitor.schema import AccountSettings, Currency, Fees, Instrument, Policy
from streams.verify.assessing import assess
from streams.verify.book import Book
from streams.verify.catalog import ReferenceSet
from streams.verify.figures import Figures, Unpriced
from streams.verify.folding import applied
from streams.verify.market import Quotes
from streams.verify.plan import next_step
from streams.verify.situation import Situation, Step
from streams.verify.tables import discounted
from tests.verify.scene import START
from tests.verify.worked import REFERENCE

D = Decimal


def reference(changes: dict[str, Any] | None = None) -> ReferenceSet:
    """Return the worked reference set with some entries replaced."""
    entries: dict[str, Any] = {**REFERENCE, **(changes or {})}

    def named(kind: str, model: Any) -> dict[str, Any]:
        return {
            key.partition(":")[2]: model.model_validate_json(json.dumps(value))
            for key, value in entries.items()
            if key.startswith(f"{kind}:")
        }

    policy = Policy.model_validate(entries["policy"])
    coins, instruments = named("currency", Currency), named("instrument", Instrument)
    return ReferenceSet("", 0, coins, instruments, named("fees", Fees), policy)


def quotes(**prices: Any) -> Quotes:
    """Return prices: `BTC=60000` an index, `BTC_USDT_SWAP=…` a mark."""
    found = Quotes()
    for name, price in prices.items():
        symbol = name.replace("_", "-")
        key = f"{symbol}/mark" if symbol.endswith("SWAP") else f"{symbol}-USD/index"
        found[key] = D(str(price))
    return found


def book(using: ReferenceSet, mode: str, cash: dict[str, Any], **fields: Any) -> Book:
    """Return an account's book from what a snapshot says."""
    state = {key: fields.pop(key) for key in ("positions", "orders") if key in fields}
    owed = fields.pop("borrowed", {})
    balances = [
        {"currency": name, "cash": str(amount), "borrowed": str(owed.get(name, 0))}
        for name, amount in cash.items()
    ]
    message: dict[str, Any] = {
        "account_id": "A",
        "ts": 1,
        "mode": mode,
        "auto_borrow": True,
        "position_mode": "net",
        "snapshot": {"balances": balances, **state},
        **fields,
    }
    return applied(None, AccountSettings.model_validate(message), using)


def order(
    order_id: str, instrument: str, side: str, quantity: str, **fields: Any
) -> dict[str, Any]:
    """Return an open order of a snapshot."""
    return {
        "account_id": "A",
        "ts": 1,
        "order_id": order_id,
        "version": 1,
        "instrument": instrument,
        "side": side,
        "price": None,
        "quantity": quantity,
        "filled_quantity": "0",
        "status": "open",
        "reduce_only": False,
        "auto_borrow": True,
        **fields,
    }


def figures(of: Book, at: Quotes, using: ReferenceSet) -> Figures:
    """Return the figures of an account that has every price."""
    found = assess(of, at, using)
    assert not isinstance(found, Unpriced)
    return found


def planned(of: Book, at: Quotes, using: ReferenceSet) -> Step:
    """Return the next reduction step."""
    step = next_step(Situation(of, at, using, figures(of, at, using), START)).step
    assert step is not None
    return step


NO_FEE = {"spot_taker": "0", "derivative_taker": "0"}


def test_ae_2_sell_of_unowned_quote_costs_the_haircut() -> None:
    using = reference({"fees:default": NO_FEE})
    buy = order("o1", "BTC-USDT", "buy", "0.1", price="60000")
    account = book(using, "spot", {"BTC": "0.1"}, orders=[buy])

    found = figures(account, quotes(BTC=60000, USDT=1), using)

    assert found.adjusted_equity == D("5880") - 120
    assert found.coins["USDT"].potential == 6000


def test_ae_2_a_sale_that_gains_takes_nothing() -> None:
    using = reference()
    sale = order("o1", "BTC-USDT", "sell", "0.1", price="60000")
    account = book(using, "spot", {"BTC": "0.1"}, orders=[sale])

    assert figures(account, quotes(BTC=60000, USDT=1), using).adjusted_equity == 5880


def test_cu_6_liability_of_cash_and_unrealised_loss() -> None:
    using = reference()
    held = [{"instrument": "BTC-USDT-SWAP", "quantity": "1", "entry_price": "70000"}]
    account = book(using, "multi_currency", {"USDT": "-50"}, positions=held)

    found = figures(account, quotes(BTC_USDT_SWAP=60000, USDT=1), using)

    assert found.coins["USDT"].liability == 150  # 50 of cash and 0.01 × 10,000 of PnL


def test_cu_7_orders_without_auto_borrow_are_served_first() -> None:
    using = reference()
    orders = [
        order("o1", "BTC-USDT", "sell", "60", price="60000", auto_borrow=False),
        order("o2", "BTC-USDT", "sell", "100", price="60000"),
    ]
    account = book(using, "spot", {"BTC": "100"}, orders=orders)

    assert figures(account, quotes(BTC=60000, USDT=1), using).coins["BTC"].potential == 60


def test_cu_9_tiers_run_marginally_and_end_at_the_minimum_rate() -> None:
    spec = Currency.model_validate(
        {**REFERENCE["currency:BTC"], "minimum_rate": "0.5"},
    )

    assert discounted(spec, True, D(26), D(1000)) == (20 * D("980") + 5 * D("975") + 500)
    assert discounted(spec, True, D(-2), D(1000)) == -2000
    assert discounted(spec, False, D(26), D(1000)) == 0


def test_cu_9_tiers_in_usd() -> None:
    spec = Currency.model_validate({**REFERENCE["currency:BTC"], "tier_unit": "usd"})

    assert discounted(spec, True, D(2), D(11)) == 20 * D("0.98") + 2 * D("0.975")


def test_mm_1_inverse_contracts_have_a_fixed_notional() -> None:
    using = reference()
    held = [{"instrument": "BTC-USD-SWAP", "quantity": "-50", "entry_price": "50000"}]
    account = book(using, "multi_currency", {"BTC": "1"}, positions=held)

    found = figures(account, quotes(BTC=40000, BTC_USD_SWAP=40000), using)

    assert found.maintenance_margin == 5000 * D("0.005")
    assert found.liquidation_fee == 5000 * D("0.0005")
    # short 5,000 USD: 5,000 × (1/40,000 − 1/50,000) = 0.025 BTC gained
    assert found.coins["BTC"].equity == D("1.025")


@pytest.mark.parametrize(("side", "opening"), [("sell", 60), ("buy", 80)])
def test_mm_2_an_order_opens_by_what_goes_beyond_the_opposite_position(
    side: str, opening: int
) -> None:
    using = reference()
    held = [{"instrument": "BTC-USDT-SWAP", "quantity": "20", "entry_price": "60000"}]
    orders = [order("o1", "BTC-USDT-SWAP", side, "80", price="60000")]
    account = book(using, "multi_currency", {"USDT": "100000"}, positions=held, orders=orders)

    found = figures(account, quotes(BTC_USDT_SWAP=60000, USDT=1), using)

    assert found.opening == {"o1": opening}


def test_mr_1_no_requirement_no_ratio() -> None:
    using = reference()

    assert figures(book(using, "spot", {"BTC": "1"}), quotes(BTC=1), using).ratio is None


def test_px_2_without_its_own_index_a_coin_goes_through_usdt() -> None:
    at = quotes(USDT="1.01", BTC=60000)
    at["ETH-USDT/index"], at["ETH-BTC/index"] = D(3000), D("0.06")

    assert at.index("ETH") == D("3030")
    del at["ETH-USDT/index"]
    assert at.index("ETH") == 3600


def test_rd_1_a_balance_repays_its_own_coin_first() -> None:
    using = reference()
    account = book(using, "spot", {"USDT": "20000", "BTC": "0.4"}, borrowed={"USDT": "39000"})

    step = planned(account, quotes(BTC=50000, USDT=1), using)

    assert step.phase == "same_coin_repayment"
    assert [(a.currency, str(a.quantity)) for a in step.actions] == [("USDT", "20000")]


def test_rd_2_opposite_sides_of_one_contract_are_netted_without_fee() -> None:
    using = reference()
    held = [
        {
            "instrument": "BTC-USDT-SWAP",
            "position_side": side,
            "quantity": q,
            "entry_price": "60000",
        }
        for side, q in (("long", "30"), ("short", "20"))
    ]
    account = book(
        using, "multi_currency", {"USDT": "100"}, positions=held, position_mode="long_short"
    )

    step = planned(account, quotes(BTC_USDT_SWAP=60000, USDT=1), using)

    assert step.phase == "opposite"
    assert sorted((a.position_side or "", str(a.quantity)) for a in step.actions) == [
        ("long", "20"),
        ("short", "20"),
    ]
    assert step.after.adjusted_equity == 100


def test_rd_2_equal_delta_off_both_legs_of_a_pair() -> None:
    using = reference()
    held = [
        {"instrument": "BTC-USDT-SWAP", "quantity": "100", "entry_price": "50000"},
        {"instrument": "BTC-USD-SWAP", "quantity": "-600", "entry_price": "50000"},
    ]
    account = book(using, "multi_currency", {"USDT": "200"}, positions=held)

    step = planned(
        account, quotes(BTC=50000, BTC_USDT_SWAP=50000, BTC_USD_SWAP=50000, USDT=1), using
    )

    assert step.phase == "delta_neutral"
    # one lot of the linear leg is 0.01 BTC, of the inverse one 100 / 50,000 = 0.002: five for one
    closed = {a.instrument: a.quantity for a in step.actions}
    assert closed["BTC-USD-SWAP"] == 5 * closed["BTC-USDT-SWAP"]


def test_rd_7_a_takeover_ends_at_zero_equity() -> None:
    using = reference()
    held = [{"instrument": "BTC-USDT-SWAP", "quantity": "100", "entry_price": "60000"}]
    account = book(using, "multi_currency", {"USDT": "9990"}, positions=held)

    step = planned(account, quotes(BTC_USDT_SWAP=50000, USDT=1), using)

    # E = −10 against N = 50,000 of position and 10 of debt
    share = D(-10) / 50010
    position, debt = step.actions
    assert step.phase == "takeover"
    assert position.bankruptcy_price == D("50010")  # 50,000 × (1 + 10 / 50,010), up to the tick
    assert debt.quantity == pytest.approx(10 + 50000 * share)  # what the closing leaves owed
    assert step.after.adjusted_equity == 0
