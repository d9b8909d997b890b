"""The table of rules: read from sources and tests by their tokens, shown as asked."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from streams.commands.rules import run_rules
from streams.exceptions import CommandError
from streams.rules import markdown, rule_rows, rules_by_code, shipped_tests, write_generated
from streams.rules import table as table_module
from streams.rules.scan import Place, codes_in, codes_of_test, scan_sources, scan_tests

SOURCE = '''\
"""A file about discount (CU-9)."""

SLICES = 3
"""CU-9: how many."""


class Coin:
    """One coin (CU-1 to CU-8)."""

    def liability(self) -> int:
        """Return what is owed.

        The unrealised part is told apart (CU-6).
        """
        owed = 1  # CU-6, and CU-7 beside it
        said = "AE-1"
        return owed + len(said)  # RFC-2119 and MRI-1 are no rules
'''


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout: one source, one file of tests."""
    for name, text in {
        "monitor/coin.py": SOURCE,
        "monitor/schema/coin.py": "# CU-1 as a message\n",
        "tests/rules/test_coin.py": """\
            class TestCoin:
                def test_cu_6_owed(self): ...

            def test_cu_6_cu_7_both(): ...
            async def test_h_5(): ...
            def test_curious_1_thing(): ...
            def test_liability_cu_9(): ...
            test_cu_9_machine = None
            """,
        "tests/support/notes.py": "def test_cu_1_not_collected(): ...\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    (tmp_path / "streams" / "rules").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    return tmp_path


def test_places_are_comments_and_docstrings_with_the_function_around_them(checkout: Path) -> None:
    assert scan_sources(checkout) == [
        Place("monitor/coin.py", 1, "CU-9", "", "heading"),
        Place("monitor/coin.py", 3, "CU-9", "", "docstring"),
        Place("monitor/coin.py", 10, "CU-6", "Coin.liability", "docstring"),
        Place("monitor/coin.py", 15, "CU-6", "Coin.liability", "comment"),
        Place("monitor/coin.py", 15, "CU-7", "Coin.liability", "comment"),
        Place("monitor/schema/coin.py", 1, "CU-1", "", "comment"),
    ]


def test_headings_messages_and_the_check_written_apart_carry_out_nothing(checkout: Path) -> None:
    doing = {(place.line, place.code) for place in scan_sources(checkout) if place.does_it}
    assert doing == {(3, "CU-9"), (10, "CU-6"), (15, "CU-6"), (15, "CU-7")}
    assert not Place("streams/verify/figures.py", 1, "AE-1", "f", "comment").does_it


def test_tests_are_named_by_the_codes_their_names_begin_with(checkout: Path) -> None:
    assert [(test.code, test.name, test.line) for test in scan_tests(checkout / "tests")] == [
        ("CU-6", "test_cu_6_owed", 2),
        ("CU-6", "test_cu_6_cu_7_both", 4),
        ("CU-7", "test_cu_6_cu_7_both", 4),
        ("H-5", "test_h_5", 5),
        ("CU-9", "test_cu_9_machine", 8),
    ]


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("test_ov_3_sells_more", ("OV-3",)),
        ("test_h_1_px_5_px_6_ticks", ("H-1", "PX-5", "PX-6")),
        ("test_cu_10", ("CU-10",)),
        ("test_max_1_thing", ()),
        ("ov_3_sells_more", ()),
        ("test_sells_more_ov_3", ()),
    ],
)
def test_codes_of_a_name(name: str, codes: tuple[str, ...]) -> None:
    assert codes_of_test(name) == codes


def test_a_range_is_a_heading_and_names_no_rule() -> None:
    assert codes_in("ES-1 to ES-8, OC-1; (RD-2)") == {"OC-1", "RD-2"}


def test_what_is_generated_is_written_once(checkout: Path) -> None:
    written = write_generated(checkout)
    assert [path.relative_to(checkout).as_posix() for path in written] == [
        "streams/rules/tests.json",
        "docs/rules.md",
    ]
    assert write_generated(checkout) == []
    shipped = json.loads((checkout / "streams/rules/tests.json").read_text())
    assert shipped["CU-6"] == {
        "tests/rules/test_coin.py": ["test_cu_6_cu_7_both", "test_cu_6_owed"]
    }
    (checkout / "tests/rules/test_coin.py").write_text("def test_cu_1_new(): ...\n")
    assert len(write_generated(checkout)) == 2


def test_an_edit_above_a_rule_leaves_the_page_as_it_is(checkout: Path) -> None:
    write_generated(checkout)
    source = checkout / "monitor/coin.py"
    source.write_text(source.read_text().replace("\nclass", "\nMORE = 1\n\n\nclass"))
    assert write_generated(checkout) == []


def test_the_page_names_places_tests_and_what_is_not_yet() -> None:
    page = markdown(rule_rows())
    row = next(line for line in page.splitlines() if line.startswith("| AE-2 |"))
    assert "[monitor/margin/spot_orders.py](../monitor/margin/spot_orders.py)" in row
    assert "`spot_order_loss`" in row
    assert "`test_ae_2_" in row
    assert "Not yet: what-if and liquidation map." in page
    for code in rules_by_code():
        assert code in page


def test_installed_without_tests_their_names_come_from_the_file_that_ships(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(table_module, "checkout", lambda: None)
    rows = {row.rule.code: row for row in rule_rows()}
    assert rows["AE-2"].tests
    assert set(rows["AE-2"].tests) == {test for test in shipped_tests() if test.code == "AE-2"}
    assert all(test.line == 0 for test in rows["AE-2"].tests)
    assert rows["AE-2"].done_at


def test_one_rule_shows_every_line_and_test(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_rules(["ae-2"], as_json=False, as_markdown=False) == 0
    shown = capsys.readouterr().out
    (row,) = (row for row in rule_rows() if row.rule.code == "AE-2")
    for place in row.places:
        assert f"{place.file}:{place.line}  {place.name}" in shown
    for test in row.tests:
        assert f"{test.file}:{test.line}  {test.name}" in shown


def test_all_rules_are_listed_and_an_unknown_one_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_rules([], as_json=False, as_markdown=False)
    shown = capsys.readouterr().out
    assert [line.split()[0] for line in shown.splitlines() if line.startswith("CU-")] == [
        f"CU-{number}" for number in range(1, 11)
    ]
    with pytest.raises(CommandError) as refused:
        run_rules(["AE-2", "OV-9", "X"], as_json=False, as_markdown=False)
    assert [error.split(":")[0] for error in refused.value.errors] == ["OV-9", "X"]


def test_rules_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    run_rules(["MR-1", "WI-1"], as_json=True, as_markdown=False)
    ratio, what_if = json.loads(capsys.readouterr().out)
    assert ratio["code"] == "MR-1"
    assert ratio["not_yet"] is None
    assert {"file", "line", "name", "kind", "does_it"} == set(ratio["places"][0])
    assert {"file", "line", "name"} == set(ratio["tests"][0])
    assert what_if["not_yet"] == "what-if and liquidation map"
