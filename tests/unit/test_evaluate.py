"""`liqmon evaluate` on options, isolated positions and orders, and `--explain`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor.explain.node import figure, given, group, looked_up
from streams.cli import app
from streams.explanation import line

FILE = """\
reference:
  currencies:
    BTC:
      discount_tiers: [{up_to: "20", rate: "0.98"}]
      borrow_tiers: [{up_to: "35", initial: "0.1", maintenance: "0.02"}]
      yearly_rate: "0.01"
    USDT:
      discount_tiers: [{up_to: "1000000", rate: "1"}]
      borrow_tiers: [{up_to: "1000000", initial: "0.1", maintenance: "0.02"}]
      interest_free_quota: "100"
      yearly_rate: "0.05"
  instruments:
    BTC-USDT:
      {kind: spot, family: BTC-USDT, underlying: BTC, quote: USDT, lot: "0.001", tick: "0.1"}
    BTC-USDT-SWAP:
      {kind: swap, family: BTC-USDT, underlying: BTC, quote: USDT, settle: USDT, lot: "1",
       tick: "0.1", contract_value: "0.01",
       position_tiers: [{up_to: "1000", initial: "0.01", maintenance: "0.004"}]}
    BTC-USD-270115-50000-P:
      {kind: option, family: BTC-USD, underlying: BTC, quote: USD, settle: BTC, lot: "1",
       tick: "0.0005", contract_value: "1", multiplier: "0.1", strike: "50000",
       option_type: put, expiry: 1800000000000,
       position_tiers: [{up_to: "1000", initial: "0", maintenance: "0", option_factor: "1"}]}
prices:
  {BTC-USD: "60000", USDT-USD: "1", BTC-USDT-SWAP: "60000", BTC-USD-270115-50000-P: "0.01"}
accounts:
  - account_id: a
    mode: multi_currency
    auto_borrow: true
    position_mode: net
    leverage: {BTC-USDT-SWAP: "10"}
    snapshot:
      balances: [{currency: BTC, cash: "1"}, {currency: USDT, cash: "-6000"}]
      positions:
        - {instrument: BTC-USDT-SWAP, position_side: net, margin_mode: cross, quantity: "100",
           entry_price: "61000"}
        - {instrument: BTC-USD-270115-50000-P, position_side: net, margin_mode: cross,
           quantity: "-10", entry_price: "0.02"}
        - {instrument: BTC-USDT-SWAP, position_side: net, margin_mode: isolated, quantity: "10",
           entry_price: "60000", margin: "600"}
        - {instrument: BTC-USDT, position_side: net, margin_mode: isolated, quantity: "-0.1",
           entry_price: "60000", margin: "1200"}
      orders:
        - {order_id: o1, instrument: BTC-USDT, side: buy, position_side: net, margin_mode: cross,
           price: "59000", quantity: "0.1", filled_quantity: "0", status: open,
           reduce_only: false, auto_borrow: true}
        - {order_id: o2, instrument: BTC-USDT-SWAP, side: buy, position_side: net,
           margin_mode: isolated, price: "60000", quantity: "10", filled_quantity: "0",
           status: open, reduce_only: false, auto_borrow: true}
"""

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    path = tmp_path / "accounts.yaml"
    path.write_text(FILE)

    def call(*options: str) -> str:
        result = CliRunner().invoke(app, ["evaluate", str(path), *options])
        assert result.exit_code == 0, result.output
        return result.output

    return call


def test_evaluate_lists_options_isolated_positions_and_liquidation_prices(run: Run) -> None:
    (found,) = json.loads(run("--json"))
    assert found["currencies"]["BTC"]["options_value"] == "-0.01"
    option, swap = found["positions"]
    assert option["options_value"] == "-0.01"
    assert option["maintenance_margin"] == "2400"  # 60,000 × 0.03 + 600
    assert Decimal(swap["liquidation_price"]) < 60_000
    derivative, margin = found["isolated"]
    assert derivative["ratio"].startswith("22.2222")  # 600 / 27
    assert derivative["liquidation_price"].startswith("54244.098")
    assert (margin["liability"], margin["liability_currency"]) == ("0.1", "BTC")
    assert Decimal(margin["liquidation_price"]) > 60_000
    # 600 of margin and a fee of 3 that order o2 freezes, and what o1 gives
    assert found["frozen"] == "6503"
    usdt = found["currencies"]["USDT"]
    assert usdt["yearly_rate"] == "0.05"
    assert usdt["free_part"] == "100"
    assert usdt["limits"]["tier"] == str(1_000_000 - 7_000 - 6_503)
    assert Decimal(usdt["liquidation_price"]) > 1
    assert "explanation" not in found


def test_evaluate_shows_them_as_tables(run: Run) -> None:
    text = run()
    header = next(row for row in text.splitlines() if row.startswith("isolated"))
    assert header.endswith("liquidated at")
    assert "54,244.09844" in text
    assert "2,222.22 %" in text
    assert "├" not in text


def nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree.get("children", ()):
        yield from nodes(child)


def test_evaluate_explains_as_json(run: Run) -> None:
    (found,) = json.loads(run("--json", "--explain"))
    tree = found["explanation"]
    assert tree["name"] == "account a"
    named = {node["name"]: node for node in nodes(tree) if node["kind"] == "figure"}
    ratio = named["maintenance margin ratio"]
    assert ratio["value"] == found["ratio"]
    assert ratio["formula"] == "adjusted equity / (maintenance margin + liquidation fee)"
    for name, figure_ in (
        ("adjusted equity", "adjusted_equity"),
        ("maintenance margin", "maintenance_margin"),
        ("available margin", "available_margin"),
        ("total equity", "total_equity"),
    ):
        assert named[name]["value"] == found[figure_]
    own = named["ratio of BTC-USDT-SWAP/isolated/net"]
    assert (own["rule"], own["value"]) == ("MR-3", found["isolated"][0]["ratio"])


def test_evaluate_explains_as_a_tree(run: Run) -> None:
    rows = run("--explain").splitlines()
    start = rows.index("account a")
    tree = rows[start + 1 :]
    assert tree[0].startswith("├── maintenance margin ratio ")
    assert tree[0].endswith("  MR-1")
    assert all(row[0] in "├│└ " for row in tree)
    assert any(
        row.strip("│├└─ ") == "index of BTC 60,000 USD (tick BTC-USD/index)  PX-1" for row in tree
    )
    assert any("BTC 58,212.00 + USDT -7,000.00 −" in row for row in tree)


def test_help_documents_the_explanation() -> None:
    text = CliRunner().invoke(app, ["evaluate", "--help"]).output
    assert "--explain" in text
    assert "down to book, prices and reference set" in " ".join(text.split())


# -- one line --------------------------------------------------------------------------------------


def usd(name: str, value: str) -> Any:
    return figure(name, "USD", "MM-1", "{0}", given(name, Decimal(value), "USD", "book"))


def test_a_line_reads_like_the_sum_it_is() -> None:
    parts = (
        usd("adjusted equity", "8700"),
        usd("maintenance margin", "6020.105"),
        usd("fee", "91.3"),
    )
    ratio = figure("ratio", "", "MR-1", "{0} / ({1} + {2})", *parts)
    # maintenance is rounded up, the ratio down
    assert line(ratio) == "ratio 1.4235679 = 8,700.00 / (6,020.11 + 91.30)"


def test_a_line_of_an_input_a_lookup_and_a_heading() -> None:
    price = given("index of DOGE", Decimal("0.00001230"), "USD", "tick DOGE-USD/index")
    assert line(price) == "index of DOGE 0.0000123 USD (tick DOGE-USD/index)"
    size, bound = given("size", Decimal(70), "", "book"), given("bound", Decimal(100), "", "set")
    rate = looked_up("rate", Decimal("0.004"), "", "MM-2", "{0} ≤ {1}", size, bound)
    assert line(rate) == "rate 0.004, as 70 ≤ 100"
    assert line(group("account a")) == "account a"


def test_a_line_shows_negative_and_tiny_and_labelled_values() -> None:
    parts = (
        figure("discounted equity BTC", "USD", "CU-9", "{0}", usd("x", "-5"), label="BTC"),
        usd("tiny", "0.000012345"),
    )
    both = figure("adjusted equity", "USD", "AE-1", "{0} + {1}", *parts)
    assert line(both) == "adjusted equity -5.00 USD = BTC -5.00 + 0.0000123"
    assert line(figure("equity", "BTC", "CU-1", "−{0}", usd("y", "-0"))).startswith("equity 0 BTC")


PORTFOLIO = """\
now: 1736936801642
reference:
  currencies:
    BTC: {minimum_rate: "0.98"}
    USDT: {minimum_rate: "1"}
  instruments:
    BTC-USDT-SWAP:
      {kind: swap, family: BTC-USDT, underlying: BTC, quote: USDT, settle: USDT, lot: "1",
       tick: "0.1", contract_value: "0.01",
       position_tiers: [{up_to: "1000", initial: "0.01", maintenance: "0.004"}]}
    BTC-USD-250328-100000-C:
      {kind: option, family: BTC-USD, underlying: BTC, quote: USD, settle: BTC, lot: "1",
       tick: "0.0001", contract_value: "1", multiplier: "0.01", strike: "100000",
       option_type: call, expiry: 1743148800000,
       position_tiers: [{up_to: "1000", initial: "0", maintenance: "0"}]}
  portfolio:
    - valid_from: "2025-01-06"
      units:
        BTC:
          spot_shocks: ["0.04", "0.08", "0.12"]
          extreme_shock: "0.24"
          basis_perpetual: "0.002"
          basis_yearly: "0.05"
          minimum_charge: "0.0045"
          option_minimum: "0.0005"
          volatility_shocks: [{days: "365", up: "0.2", down: "0.15"}]
          tenors: [{days: "365", shock: "0.05"}]
          rate_shocks: [{days: "365", shock: "0.01"}]
          stablecoin_table: [{index: "0", tiers: [{up_to: "1000000", rate: "0.005"}]}]
prices:
  {BTC-USD: "97034.2", USDT-USD: "1", BTC-USDT-SWAP: "97034.2", BTC-USD-250328-100000-C: "0.09"}
accounts:
  - account_id: p
    mode: portfolio
    auto_borrow: true
    position_mode: net
    spot_hedge: {BTC: "0.1"}
    snapshot:
      balances: [{currency: USDT, cash: "50000"}, {currency: BTC, cash: "0.5"}]
      positions:
        - {instrument: BTC-USDT-SWAP, quantity: "-100", entry_price: "97000"}
        - {instrument: BTC-USD-250328-100000-C, quantity: "10", entry_price: "0.08"}
"""


def test_pm_risk_units_are_in_the_assessment(tmp_path: Path) -> None:
    file = tmp_path / "portfolio.yaml"
    file.write_text(PORTFOLIO)
    done = CliRunner().invoke(app, ["evaluate", str(file), "--json"])
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)
    unit = found["risk_units"]["BTC"]
    assert set(unit) == {
        "charges",
        "delta",
        "extreme",
        "filled",
        "gamma",
        "initial_margin",
        "initial_without_orders",
        "maintenance_margin",
        "maintenance_without_orders",
        "positions",
        "scenarios",
        "spot_in_use",
        "theta",
        "vega",
        "worst",
    }
    assert list(unit["charges"]) == ["mr1", "mr2", "mr3", "mr4", "mr5", "mr6", "mr7", "mr9"]
    assert list(unit["scenarios"]) == ["down", "same", "up"]
    grid = ["-0.12", "-0.08", "-0.04", "0", "0.04", "0.08", "0.12"]
    assert all(list(row) == grid for row in unit["scenarios"].values())
    assert unit["spot_in_use"] == "0.1"
    worst = unit["worst"]
    assert unit["scenarios"][worst["volatility"]][worst["spot"]] == worst["pnl"]
    assert unit["charges"]["mr1"] == worst["pnl"].removeprefix("-")
    perpetual, option = unit["positions"]
    assert perpetual["implied_volatility"] is None
    assert 0.4 < float(option["implied_volatility"]) < 0.7
    assert found["maintenance_margin"] == unit["maintenance_margin"]
    assert found["borrowing_margin"] == {"maintenance_margin": "0", "initial_margin": "0"}


def test_pm_4_prices_of_a_file_are_those_of_its_now(tmp_path: Path) -> None:
    file = tmp_path / "portfolio.yaml"
    file.write_text(PORTFOLIO.replace("now: 1736936801642", "now: 1735000000000"))
    done = CliRunner().invoke(app, ["evaluate", str(file), "--json"])
    (found,) = json.loads(done.stdout)
    assert found["unpriced"] == ["portfolio.BTC.valid_from/reference"]
    file.write_text(PORTFOLIO.replace("now: 1736936801642", "now: yesterday"))
    done = CliRunner().invoke(app, ["evaluate", str(file)])
    assert done.exit_code == 1
    assert "now: 'yesterday' given, epoch milliseconds expected" in str(done.exception)


def test_pm_explanation_goes_down_to_the_worst_scenario(tmp_path: Path) -> None:
    file = tmp_path / "portfolio.yaml"
    file.write_text(PORTFOLIO)
    done = CliRunner().invoke(app, ["evaluate", str(file), "--explain"])
    assert done.exit_code == 0, done.output
    for text in ("maintenance margin of unit BTC", "MR1 of BTC", "Black-76, implied volatility"):
        assert text in done.stdout
