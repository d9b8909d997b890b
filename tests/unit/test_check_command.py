"""`liqmon check`: one account and one question from a file, the answer as a table or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from monitor.schema.checks import CheckAnswer
from streams.cli import main
from streams.settings import PREFIX, Settings

FILE = """\
reference:
  currencies:
    BTC: {discount_tiers: [{up_to: "20", rate: "0.98"}]}
    ETH: {discount_tiers: [{up_to: "20", rate: "0.98"}]}
    USDT:
      discount_tiers: [{up_to: "1000000", rate: "1"}]
      borrow_tiers: [{up_to: "1000000", initial: "0.1", maintenance: "0.02"}]
  instruments:
    BTC-USDT:
      {kind: spot, family: BTC-USDT, underlying: BTC, quote: USDT, lot: "0.001", tick: "0.1"}
  fees: {default: {spot_taker: "0"}}
prices: {BTC-USD: "60000", ETH-USD: "3000", USDT-USD: "1"}
accounts:
  - account_id: a
    mode: spot
    auto_borrow: true
    position_mode: net
    vip_level: 5
    borrow_leverage: {"*": "2"}
    snapshot:
      balances:
        - {currency: BTC, cash: "0.1"}
        - {currency: ETH, cash: "1"}
        - {currency: USDT, cash: "0", borrowed: "0"}
"""
ORDER = 'order: {instrument: BTC-USDT, side: buy, price: "60000", quantity: "%s"}\n'
CAPPED = FILE.replace(
    "    USDT:\n", '    USDT:\n      vip_caps: {"5": "35000000"}\n      platform_pool: "90000000"\n'
)


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def answer(self) -> CheckAnswer:
        assert self.code == 0, self.err
        return CheckAnswer.model_validate_json(self.out)


Check = Callable[..., Result]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "asked.yaml"


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: Path) -> Check:
    monkeypatch.chdir(path.parent)
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)

    def call(text: str, *arguments: str) -> Result:
        path.write_text(text)
        monkeypatch.setattr(sys, "argv", ["liqmon", "check", str(path), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Result(ended.value.code, captured.out, captured.err)

    return call


def test_help_says_what_the_file_holds(check: Check) -> None:
    result = check(FILE, "--help")
    assert result.code == 0
    assert all(word in result.out for word in ("`order`", "`withdrawal`", "`totals`", "--json"))


def test_ov_1_the_worked_order_as_json_with_every_figure(check: Check) -> None:
    result = check(FILE + ORDER % "0.1", "--json")
    found = json.loads(result.out)
    assert (found["check"], found["account_id"], found["accepted"]) == ("order", "a", True)
    assert found["figures"]["adjusted_equity"] == "8700"
    assert found["figures"]["initial_margin"] == "3000"
    assert (found["borrows"], found["largest"]) == ({"USDT": "6000"}, "0.282")
    assert (found["totals_age_ms"], found["stale_prices"], found["unpriced"]) == (0, [], [])


def test_a_refusal_is_an_answer_and_exits_with_0(check: Check) -> None:
    result = check(FILE + ORDER % "0.3")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "a: order refused by OV-1"
    assert lines[1] == "  OV-1: adjusted equity 8460 is below initial margin 9000"
    assert lines[2] == "largest that would pass: 0.282"
    assert "checked with auto-borrow" in lines
    assert any(line.split() == ["adjusted", "equity", "8,460.00"] for line in lines)
    assert any(line.startswith("USDT ") and "no limit" in line for line in lines)


@pytest.mark.parametrize(
    ("question", "accepted", "largest"),
    [
        ('borrow: {currency: USDT, amount: "1000"}', True, "17640"),
        ('borrow: {currency: USDT, amount: "18000"}', False, "17640"),
        ('withdrawal: {currency: BTC, amount: "0.1"}', True, "0.1"),
        ('withdrawal: {currency: BTC, amount: "0.2"}', False, "0.1"),
        ("repay: {currency: USDT}", False, "0"),
    ],
)
def test_every_kind_of_question(check: Check, question: str, accepted: bool, largest: str) -> None:
    found = json.loads(check(FILE + question + "\n", "--json").out)
    assert (found["check"], found["accepted"]) == (question.partition(":")[0], accepted)
    assert found["largest"] == largest


def test_rp_2_a_plan_is_shown_trade_by_trade(check: Check) -> None:
    owing = FILE.replace('borrowed: "0"', 'borrowed: "1500"')
    result = check(owing + 'repay: {currency: USDT, amount: "1200", assets: [BTC]}\n')
    assert result.code == 0
    assert "repays 1,200 of 1,200 USDT, leaves 0" in result.out
    sale = next(line for line in result.out.splitlines() if line.startswith("BTC "))
    assert sale.split() == ["BTC", "BTC-USDT", "sell", "0.02", "60,000", "1,200", "USDT", "0"]
    assert "then a `repay` transfer of 1,200 USDT" in result.out


def test_h_10_without_totals_new_borrowing_is_refused_where_there_is_a_limit(check: Check) -> None:
    found = check(CAPPED + ORDER % "0.1", "--json").answer
    assert found.rule == "BL-2"
    assert found.largest == 0
    half = check(CAPPED + ORDER % "0.1" + 'totals: {main_account: {USDT: "1"}}\n', "--json")
    assert [refused.rule for refused in half.answer.refusals] == ["BL-3"]


@pytest.mark.parametrize(("used", "accepted"), [("34994000", True), ("34994001", False)])
def test_bl_2_the_file_says_what_the_main_account_and_everybody_borrow(
    check: Check, used: str, accepted: bool
) -> None:
    totals = f'totals: {{main_account: {{USDT: "{used}"}}, platform: {{USDT: "{used}"}}}}\n'
    found = check(CAPPED + ORDER % "0.1" + totals, "--json").answer
    assert found.accepted is accepted
    assert found.figures["USDT.main_account_used"] == int(used) + 6000


def test_px_3_an_unpriced_account_is_told_what_it_misses(check: Check) -> None:
    text = FILE.replace('ETH-USD: "3000", ', "") + ORDER % "0.1"
    result = check(text)
    assert result.out.splitlines()[:2] == [
        "a: order refused by PX-3",
        "  PX-3: no price of ETH-USD/index",
    ]
    assert "largest" not in result.out
    assert check(text, "--json").answer.unpriced == ("ETH-USD/index",)


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ('"0.1"', "0.1", "order.quantity", "must be a decimal in a string"),
        ('"0.1"', '"0.1", qty: "1"', "order.qty", "no such field, one of order_id, "),
        ("side: buy, ", "", "order.side", "Field required"),
        ("BTC-USDT", "BTC-EUR", "order.instrument", "unknown instrument BTC-EUR"),
        ("side", "order_id: o1, side", "order.order_id", "no order o1 is open"),
        ("side", "margin_mode: isolated, side", "order", "do not exist in spot mode"),
    ],
)
def test_what_is_wrong_with_a_question_is_named_with_its_place(
    check: Check, path: Path, old: str, new: str, place: str, message: str
) -> None:
    result = check(FILE + (ORDER % "0.1").replace(old, new))
    assert (result.code, result.out) == (1, "")
    number = FILE.count("\n") + 1
    assert result.err.startswith(f"{path}:{number}: {place}: ")
    assert message in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FILE, "no question given, one of order, borrow, withdrawal, repay is expected"),
        (FILE + ORDER % "1" + "repay: {currency: USDT}\n", "order and repay given, one of"),
        (FILE + ORDER % "1" + 'totals: {platform: {XYZ: "1"}}\n', "totals: unknown currency XYZ"),
        (FILE + ORDER % "1" + 'totals: {platform: {USDT: "-1"}}\n', "totals.platform.USDT: "),
        (FILE + ORDER % "1" + "totals: {main: {}}\n", "totals.main: no such field"),
        (FILE + "borrow: [USDT]\n", "borrow: Input should be a valid dictionary"),
        (FILE + 'borrow: {currency: XYZ, amount: "1"}\n', "borrow.currency: unknown currency XYZ"),
        ("[]", "a mapping with reference, prices, accounts and a question"),
        ("reference: missing.yaml", "No such file"),
        (FILE.replace("mode: spot", "mode: sport") + ORDER % "1", "accounts.0.mode"),
        (FILE.replace("currency: ETH", "currency: XYZ") + ORDER % "1", "unknown currency XYZ"),
    ],
)
def test_a_file_that_cannot_be_used_exits_with_1(check: Check, text: str, expected: str) -> None:
    result = check(text)
    assert (result.code, result.out) == (1, "")
    assert expected in result.err
    assert "Traceback" not in result.err


def test_a_check_has_one_account(check: Check) -> None:
    account: Any = FILE[FILE.index("  - account_id") :]
    result = check(FILE + account.replace("account_id: a", "account_id: b") + ORDER % "1")
    assert result.code == 1
    assert "accounts: 2 given, 1 is expected" in result.err


def test_every_error_is_named_at_once(check: Check) -> None:
    broken = FILE.replace('"60000"', '"-1"').replace("mode: spot", "mode: sport")
    result = check(broken + 'borrow: {currency: USDT}\ntotals: {main_account: {USDT: "x"}}\n')
    assert [line.split(": ")[1] for line in result.err.splitlines()] == [
        "accounts.0.mode",
        "borrow.amount",
        "totals.main_account.USDT",
        "prices.BTC-USD",
    ]
