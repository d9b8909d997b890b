"""The command line: exit codes, errors on standard error, nothing loaded that is not needed."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from streams.cli import main
from streams.exceptions import CommandError
from streams.setting_names import SETTINGS
from streams.settings import PREFIX, Settings

COMMANDS = (
    "demo",
    "services",
    "worker",
    "topics",
    "reference",
    "replay",
    "simulate",
    "watch",
    "evaluate",
    "check",
    "what-if",
    "dashboard",
    "alerts",
    "verify",
    "rules",
)

FILE = """\
reference:
  currencies:
    BTC:
      discount_tiers: [{up_to: "20", rate: "0.98"}]
      borrow_tiers: [{up_to: "35", initial: "0.1", maintenance: "0.02"}]
    USDT:
      discount_tiers: [{up_to: "1000000", rate: "1"}]
      borrow_tiers: [{up_to: "1000000", initial: "0.1", maintenance: "0.02"}]
  instruments:
    BTC-USDT:
      {kind: spot, family: BTC-USDT, underlying: BTC, quote: USDT, lot: "0.001", tick: "0.1"}
prices: {BTC-USD: "60000", USDT-USD: "1"}
accounts:
  - account_id: a
    mode: spot
    auto_borrow: true
    position_mode: net
    borrow_leverage: {"*": "5"}
    snapshot:
      balances:
        - {currency: BTC, cash: "1"}
        - {currency: USDT, cash: "0", borrowed: "20000"}
      orders:
        - order_id: o1
          instrument: BTC-USDT
          side: sell
          price: null
          quantity: "0.1"
          filled_quantity: "0"
          status: open
          reduce_only: false
          auto_borrow: false
"""


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)

    def call(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["liqmon", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.yaml"
    path.write_text(FILE)
    return path


def test_help_names_every_command_and_every_setting(run: Run) -> None:
    result = run("--help")
    assert result.code == 0
    assert all(f"\n  {command}" in result.out for command in COMMANDS)
    assert all(PREFIX + name.upper() in result.out for name in Settings.model_fields)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run: Run, command: str) -> None:
    assert run(command, "--help").code == 0


def test_the_settings_that_help_names_have_the_defaults_that_it_names() -> None:
    assert list(SETTINGS) == list(Settings.model_fields)
    for name, (default, _) in SETTINGS.items():
        actual = Settings.model_fields[name].default
        if default:
            assert default in (
                str(actual),
                str(actual).lower(),
                f"{actual:g}" if name.endswith(("timeout", "interval")) else "",
            )


def test_help_loads_neither_kafka_nor_pydantic() -> None:
    script = (
        "import sys; sys.argv = ['liqmon', '--help']\n"
        "from streams.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print(sorted({'pydantic', 'aiokafka', 'faust', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_version(run: Run) -> None:
    result = run("--version")
    assert (result.code, result.out.split()[0]) == (0, "liqmon")


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["replay"], ["evaluate", "missing.yaml"], ["watch", "--kind", "x"], ["--no"]],
)
def test_wrong_usage_exits_with_2(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert "Traceback" not in result.err


def test_wrong_settings_exit_with_2_and_are_named(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIQMON_PARTITIONS", "many")
    monkeypatch.setenv("LIQMON_CLOCK", "moon")
    result = run("topics")
    assert result.code == 2
    assert [line.partition(":")[0] for line in result.err.splitlines()] == [
        "LIQMON_PARTITIONS=many",
        "LIQMON_CLOCK=moon",
    ]


def test_evaluate_gives_exact_figures_as_json(run: Run, file: Path) -> None:
    result = run("evaluate", file, "--json")
    assert result.code == 0
    (found,) = json.loads(result.out)
    # AE-1: 60,000 × 0.98 − 20,000, the sale at market takes nothing but its haircut's gain
    assert found["adjusted_equity"] == "38800"
    # MM-1: 20,000 × 0.02; MM-4: 20,000 × 1.02 × 0.001
    assert (found["maintenance_margin"], found["liquidation_fee"]) == ("400", "20.4")
    assert found["band"] == "normal"
    assert found["unpriced"] == []


def test_evaluate_shows_a_table(run: Run, file: Path) -> None:
    result = run("evaluate", file)
    assert result.code == 0
    assert "38,800.00" in result.out
    assert "9,229.30 %" in result.out  # 38,800 / 420.4, rounded down


def test_evaluate_takes_the_reference_from_its_own_file(
    run: Run, file: Path, tmp_path: Path
) -> None:
    raw = yaml.safe_load(FILE)
    reference = tmp_path / "set" / "reference.json"
    reference.parent.mkdir()
    reference.write_text(json.dumps(raw["reference"]))
    file.write_text(json.dumps({**raw, "reference": "set/reference.json"}))
    result = run("evaluate", file, "--json")
    assert json.loads(result.out)[0]["adjusted_equity"] == "38800"


def test_px_3_an_unpriced_account_is_shown_by_what_it_misses(run: Run, file: Path) -> None:
    file.write_text(FILE.replace('BTC-USD: "60000", ', ""))
    result = run("evaluate", file)
    assert result.code == 0
    assert "a: no price of BTC-USD/index" in result.out


def test_evaluate_names_every_error_with_its_place_and_exits_with_1(run: Run, file: Path) -> None:
    broken = (
        FILE.replace('"60000"', '"-1"')
        .replace("mode: spot", "mode: sport")
        .replace('quantity: "0.1"', "quantity: 0.1")
    )
    file.write_text(
        broken + "  - {account_id: b, mode: spot, auto_borrow: true, position_mode: net,"
        ' snapshot: {balances: [{currency: XYZ, cash: "1"}]}}\n'
    )
    result = run("evaluate", file)
    assert (result.code, result.out) == (1, "")
    lines = result.err.splitlines()
    written = file.read_text().splitlines()
    for text, path in (
        ('"-1"', "prices.BTC-USD"),
        ("sport", "accounts.0.mode"),
        ("quantity: 0.1", "accounts.0.snapshot.orders.0.quantity"),
        ("XYZ", "accounts.1"),
    ):
        number = next(n for n, line in enumerate(written, 1) if text in line)
        assert any(found.startswith(f"{file}:{number}: {path}") for found in lines), (path, lines)
    assert len(lines) == 4


def test_evaluate_names_the_errors_of_the_reference_set(run: Run, file: Path) -> None:
    file.write_text(FILE.replace("quote: USDT", "quote: USDC"))
    result = run("evaluate", file)
    assert result.code == 1
    assert "reference.instruments.BTC-USDT.quote: unknown currency USDC" in result.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", "a mapping with reference, prices and accounts"),
        ("{}", "reference: missing"),
        ("accounts: {", "no YAML"),
        ("reference: missing.yaml", "No such file"),
    ],
)
def test_evaluate_refuses_what_is_no_such_file(
    run: Run, file: Path, text: str, expected: str
) -> None:
    file.write_text(text)
    result = run("evaluate", file)
    assert (result.code, result.out) == (1, "")
    assert expected in result.err


def test_reference_check_lists_the_policy_with_allowed_values_and_defaults(
    run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "reference.yaml"
    path.write_text('currencies: {USDT: {}}\npolicy: {attempts: 5, expire_seconds: "60"}\n')
    result = run("reference", "check", path)
    assert result.code == 0
    assert "1 currencies, 0 instruments" in result.out
    lines = {line.split()[0]: line for line in result.out.splitlines() if line.startswith("  ")}
    assert lines["attempts"].endswith("5  (default 3; a whole number from 1 to 100)")
    assert lines["debt_size"].endswith("tier_step  (default tier_step; tier_step or smallest)")


def test_reference_check_names_every_error_and_exits_with_1(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "reference.yaml"
    path.write_text('currencies:\n  USDT: {yearly_rate: "-1"}\npolicy:\n  attempt: 5\n')
    result = run("reference", "check", path)
    assert (result.code, result.out) == (1, "")
    assert [line.split(": ")[0] for line in result.err.splitlines()] == [
        f"{path}:2",
        f"{path}:4",
    ]


def test_replay_of_a_damaged_file_exits_with_1(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "ticks.parquet"
    path.write_bytes(b"no parquet")
    result = run("replay", path)
    assert (result.code, result.out) == (1, "")
    assert "ticks.parquet" in result.err


def test_wrong_options_of_the_demo_are_all_named(run: Run) -> None:
    result = run("demo", "--accounts", "0", "--speed", "-1", "--replay", "missing.parquet")
    assert (result.code, result.out) == (2, "")
    assert [line.split(":")[0] for line in result.err.splitlines()] == [
        "--replay missing.parquet",
        "--speed -1",
        "--accounts 0",
    ]


def test_an_error_of_a_command_shows_all_its_lines() -> None:
    error = CommandError(["one", "two"])
    assert (str(error), error.exit_code) == ("one\ntwo", 1)
