"""`liqmon what-if`: accounts and a scenario from a file, the answer as a table or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from monitor.scenario import WhatIfAnswer
from streams.cli import main
from streams.settings import PREFIX, Settings

FILE = """\
reference:
  currencies:
    BTC: {discount_tiers: [{up_to: "20", rate: "0.98"}]}
    USDT:
      discount_tiers: [{up_to: "1000000", rate: "1"}]
      borrow_tiers: [{up_to: "1000000", initial: "0.1", maintenance: "0.02"}]
  instruments:
    BTC-USDT-SWAP:
      kind: swap
      family: BTC-USDT
      underlying: BTC
      quote: USDT
      settle: USDT
      contract_value: "0.01"
      lot: "1"
      tick: "0.1"
      position_tiers: [{up_to: "100000", initial: "0.01", maintenance: "0.0045"}]
prices: {BTC-USD: "60000", USDT-USD: "1", BTC-USDT-SWAP: "60000"}
accounts:
  - account_id: long
    mode: multi_currency
    auto_borrow: true
    position_mode: net
    snapshot:
      balances: [{currency: USDT, cash: "7000"}]
      positions:
        - {instrument: BTC-USDT-SWAP, position_side: net, margin_mode: cross, quantity: "100",
           entry_price: "60000"}
  - account_id: holder
    mode: spot
    auto_borrow: true
    position_mode: net
    snapshot:
      balances: [{currency: BTC, cash: "1"}]
"""


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def answer(self) -> WhatIfAnswer:
        assert self.code == 0, self.err
        return WhatIfAnswer.model_validate_json(self.out)


WhatIf = Callable[..., Result]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "asked.yaml"


@pytest.fixture
def what_if(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: Path
) -> WhatIf:
    monkeypatch.chdir(path.parent)
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)

    def call(text: str, *arguments: str) -> Result:
        path.write_text(text)
        monkeypatch.setattr(sys, "argv", ["liqmon", "what-if", str(path), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Result(ended.value.code, captured.out, captured.err)

    return call


def test_wi_1_every_account_before_and_after_as_json(what_if: WhatIf) -> None:
    found = what_if(FILE + 'shocks: {BTC: "-0.11"}\n', "--json").answer
    first, second = found.moved
    # 7,000 − 6,600 = 400 over 53,400 × 0.005 = 267
    assert (first.account_id, first.band_before, first.band_after) == ("long", "normal", "warning")
    assert first.ratio_after == Decimal(400) / Decimal(267)
    assert (second.account_id, second.band_after) == ("holder", "normal")
    assert (found.moved_total, found.falling) == (1, 1)
    assert found.prices == {"BTC": Decimal(53400)}


def test_wi_1_a_table_for_people(what_if: WhatIf) -> None:
    result = what_if(FILE + 'shocks: {BTC: "-0.12"}\n')
    assert result.code == 0
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert "long normal liquidation 2,333.33 % -74.58 % 7,000.00 -200.00" in lines
    assert "holder normal normal ∞ ∞ 58,800.00 51,744.00" in lines
    assert "accounts 2 normal 1 normal, 1 liquidation" in lines
    assert "shortfall USD 0.00 200.00" in lines
    assert "expected reductions 1" in lines


def test_wi_1_cash_and_fills_of_the_account_that_is_named(what_if: WhatIf) -> None:
    more = """\
account_id: long
cash: {USDT: "-1000"}
fills: [{instrument: BTC-USDT-SWAP, side: sell, quantity: "100", price: "60000", fee: "0"}]
"""
    (moved,) = what_if(FILE + more, "--json").answer.moved
    assert moved.adjusted_equity_after == 6000
    assert moved.ratio_after is None


@pytest.mark.parametrize(
    ("more", "line", "error"),
    [
        ("", None, "no scenario; shocks, fills, cash: one at least is expected"),
        ('shocks: {XRP: "0.1"}\n', 35, "shocks.XRP: no currency and no price has this name"),
        ("shocks: {BTC: -0.1}\n", 35, "shocks.BTC: -0.1 must be a decimal in a string"),
        (
            'fills: [{instrument: BTC-USDT-SWAP, side: buy, qty: "1"}]\n',
            35,
            "fills.0.qty: no such field",
        ),
        ('cash: {USDT: "1"}\n', None, "account_id: fills and cash are of one account: name it"),
        ('account_id: x\ncash: {USDT: "1"}\n', 35, "account_id: x is not known"),
    ],
)
def test_errors_name_their_place(
    what_if: WhatIf, path: Path, more: str, line: int | None, error: str
) -> None:
    assert FILE.count("\n") == 34
    result = what_if(FILE + more)
    assert result.code == 1
    place = f"{path}" if line is None else f"{path}:{line}"
    assert any(text.startswith(place) and error in text for text in result.err.splitlines()), (
        result.err
    )


def test_an_account_that_stands_there_twice_is_an_error(what_if: WhatIf, path: Path) -> None:
    result = what_if(
        FILE.replace("account_id: holder", "account_id: long") + 'shocks: {BTC: "1"}\n'
    )
    assert result.code == 1
    assert "accounts.1.account_id: long stands there already" in result.err


def test_help_says_what_the_file_holds(what_if: WhatIf) -> None:
    result = what_if(FILE, "--help")
    assert result.code == 0
    assert all(word in result.out for word in ("`shocks`", "`fills`", "`cash`", "--json"))
