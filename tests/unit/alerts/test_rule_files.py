"""Rules files: every error at its place."""

from pathlib import Path

import pytest

from streams.alerts.rule_files import load_rules_file
from streams.commands.alerts import check_rules
from streams.documents import BadDocument

GOOD = """\
rules:
  desk:
    channels: [desk]
    bands: [liquidation]
    quiet:
      - {timezone: Europe/Zurich, start: "22:00", end: "07:00"}
  night:
    channels: [phone]
    kinds: [episode]
    states: [bankrupt, stuck]
  old: {deleted: true}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "rules.yaml"
    file.write_text(text)
    return file


def test_a_file_gives_rules_and_what_it_takes_away(tmp_path: Path) -> None:
    found = load_rules_file(write(tmp_path, GOOD))
    assert list(found.rules) == ["desk", "night"]
    assert found.deleted == ("old",)
    assert found.rules["desk"].quiet[0].timezone == "Europe/Zurich"


@pytest.mark.parametrize(
    ("old", "new", "errors"),
    [
        ("[liquidation]", "[danger]", ["rules.yaml:4: rules.desk.bands.0: "]),
        ("bands:", "band:", ["rules.yaml:4: rules.desk.band: "]),
        ("Zurich", "Nowhere", ["rules.yaml:6: rules.desk.quiet.0.timezone: "]),
        ("[bankrupt, stuck]", "[entered]", ["rules.yaml:7: rules.night: states: entered: "]),
        ("desk:\n", "a b:\n", ["rules.yaml:2: rules.a b: "]),
        ("deleted: true", "deleted: false", ["rules.yaml:11: rules.old.deleted: "]),
        ("rules:", "more: 1\nrules:", ["rules.yaml:1: more: "]),
        (
            "channels: [desk]",
            "channels: [Desk]\n    kinds: []",
            ["rules.yaml:3: rules.desk.channels.0: ", "rules.yaml:4: rules.desk.kinds: "],
        ),
    ],
)
def test_every_error_is_named_with_its_place(
    tmp_path: Path, old: str, new: str, errors: list[str]
) -> None:
    with pytest.raises(BadDocument) as raised:
        load_rules_file(write(tmp_path, GOOD.replace(old, new, 1)))
    found = [error.removeprefix(f"{tmp_path}/") for error in raised.value.errors]
    assert len(found) == len(errors), found
    for error, expected in zip(found, errors, strict=True):
        assert error.startswith(expected)


@pytest.mark.parametrize("text", ["[]", "rules: []", "1", ""])
def test_a_file_without_rules_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadDocument, match="a mapping id → rule is expected"):
        load_rules_file(write(tmp_path, text))


def test_check_says_each_rule_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIQMON_ALERT_CHANNEL_DESK", "json://127.0.0.1:1/secret")
    assert check_rules(write(tmp_path, GOOD)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("in order, 2 rules")
    assert lines[1].startswith("desk: tells desk of ")
    assert lines[2].startswith("night: tells phone of episode in the states bankrupt and stuck ")
    assert lines[3:] == ["old: to be removed", "no address in this environment for: phone"]
