"""Files whose errors are named with their place."""

from pathlib import Path

import pytest

from streams.documents import BadDocument, read_document
from streams.reference.files import load_reference_file

REFERENCE = """\
currencies:
  USDT:
    discount_tiers: []
  BTC:
    discount_tiers:
      - {up_to: "20", rate: "0.98"}
      - {up_to: "10", rate: "0.97"}
instruments:
  BTC-USDT:
    kind: spot
    family: BTC-USDT
    underlying: BTC
    quote: USDC
    lot: 0.001
    tick: "0.1"
"""


def _write(folder: Path, text: str, name: str = "file.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_every_error_of_a_reference_file_has_its_line(tmp_path: Path) -> None:
    path = _write(tmp_path, REFERENCE)
    with pytest.raises(BadDocument) as refused:
        load_reference_file(path)
    first, second, third = refused.value.errors
    assert first.startswith(f"{path}:5: currencies.BTC.discount_tiers: up_to must rise")
    assert second.startswith(f"{path}:14: instruments.BTC-USDT.lot: ")
    assert third == f"{path}:13: instruments.BTC-USDT.quote: unknown currency USDC"


def test_contradictions_between_entries_have_their_line_too(tmp_path: Path) -> None:
    text = REFERENCE.replace('"10"', '"30"').replace("0.001", '"0.001"')
    path = _write(tmp_path, text)
    with pytest.raises(BadDocument) as refused:
        load_reference_file(path)
    assert refused.value.errors == [f"{path}:13: instruments.BTC-USDT.quote: unknown currency USDC"]


@pytest.mark.parametrize("name", ["file.yaml", "file.json"])
def test_a_key_that_stands_twice_is_an_error(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path, '{"a": 1, "b": {"c": 1, "c": 2}}', name)
    with pytest.raises(BadDocument, match=r"'c' stands twice"):
        read_document(path)


def test_merge_keys_of_yaml_still_work(tmp_path: Path) -> None:
    path = _write(tmp_path, "base: &base {a: 1, b: 2}\nother: {<<: *base, b: 3}\n")
    assert read_document(path).value["other"] == {"a": 1, "b": 3}


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("a: [1,\nb: 2", "file.yaml", "file.yaml:3: no YAML"),
        ('{"a": 1,\n}', "file.json", "file.json:2: no JSON"),
        ("a: 2025-99-99", "file.yaml", "file.yaml: no YAML"),
        ("[" * 100_000, "file.json", "file.json: no JSON"),
        ("a: \x00", "file.yaml", "file.yaml: no YAML"),
    ],
)
def test_a_file_that_cannot_be_parsed_is_named(
    tmp_path: Path, text: str, name: str, expected: str
) -> None:
    path = _write(tmp_path, text, name)
    with pytest.raises(BadDocument) as refused:
        read_document(path)
    assert refused.value.errors[0].startswith(f"{tmp_path}/{expected}")


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match="No such file"):
        read_document(tmp_path / "missing.yaml")
    path = tmp_path / "bytes.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadDocument, match="UTF-8"):
        read_document(path)


def test_names_with_dots_are_found(tmp_path: Path) -> None:
    document = read_document(_write(tmp_path, "a:\n  b.c:\n    - x\n    - d: 1\n"))
    assert document.place("a.b.c.1.d") == f"{document.path}:4"
    assert document.place("a.b.c.9") == f"{document.path}:2"
    assert document.place("") == f"{document.path}:1"


def test_json_with_tabs_has_errors_without_lines(tmp_path: Path) -> None:
    document = read_document(_write(tmp_path, '{\n\t"a": 1}', "file.json"))
    assert document.value == {"a": 1}
    assert document.place("a").startswith(str(document.path))
