"""Which symbols a series feeds, by default and by a map."""

from pathlib import Path

import pytest

from streams.replay import Point, Quote, SymbolMap, SymbolMapError, load_map
from streams.replay.mapping import Mapper


def default(*series: str) -> dict[str, tuple[tuple[str, str], ...]]:
    return {name: tuple(found) for name, found in SymbolMap().resolve(series).items()}


def test_a_crash_series_feeds_the_index_and_the_perpetual() -> None:
    both = (("BTC-USD", "index"), ("BTC-USDT-SWAP", "mark"))
    assert default("BTC-USDT") == {"BTC-USDT": both}
    assert default("BTCUSDT") == {"BTCUSDT": both}


def test_a_perpetual_of_its_own_takes_the_mark_and_leaves_the_index_to_spot() -> None:
    assert default("BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-SWAP") == {
        "BTC-USDT": (("BTC-USD", "index"),),
        "BTC-USDT-SWAP": (("BTC-USDT-SWAP", "mark"),),
        "BTC-USD-SWAP": (("BTC-USD-SWAP", "mark"),),
    }


@pytest.mark.parametrize(
    ("series", "targets"),
    [
        ("BTC-USDT-SWAP", (("BTC-USD", "index"), ("BTC-USDT-SWAP", "mark"))),
        ("BTCUSD_PERP", (("BTC-USD", "index"), ("BTC-USD-SWAP", "mark"))),
        ("BTC-PERPETUAL", (("BTC-USD", "index"), ("BTC-USD-SWAP", "mark"))),
        ("BTCUSDT_241227", (("BTC-USDT-241227", "mark"),)),
        ("BTC-USD-241227", (("BTC-USD-241227", "mark"),)),
        ("BTC-USD-241227-100000-C", (("BTC-USD-241227-100000-C", "mark"),)),
        ("BTC-USD", (("BTC-USD", "index"),)),
        ("USDC-USDT", (("USDC-USD", "index"),)),
        ("BTCUSDT/mark", (("BTC-USDT-SWAP", "mark"),)),
        ("BTCUSDT/index", (("BTC-USD", "index"),)),
        ("BTC-PERPETUAL/mark", (("BTC-USD-SWAP", "mark"),)),
        ("nonsense", ()),
    ],
)
def test_names_as_venues_write_them(series: str, targets: tuple[tuple[str, str], ...]) -> None:
    assert default(series) == {series: targets}


def test_a_map_overrides_the_series_it_names(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(
        "BTC-USDT: {index: BTC-USD, mark: [BTC-USDT-SWAP, BTC-USD-SWAP]}\nSOL-USDT: {}\n"
    )
    resolved = load_map(path).resolve(["BTCUSDT", "SOL-USDT", "ETH-USDT"])

    assert resolved == {
        "BTCUSDT": (("BTC-USD", "index"), ("BTC-USDT-SWAP", "mark"), ("BTC-USD-SWAP", "mark")),
        "SOL-USDT": (),
        "ETH-USDT": (("ETH-USD", "index"), ("ETH-USDT-SWAP", "mark")),
    }


def test_a_map_entry_serves_the_mark_and_the_index_of_one_series_apart(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("BTCUSDT: {index: [BTC-USD], mark: [X-SWAP]}\n")
    resolved = load_map(path).resolve(["BTCUSDT/mark", "BTCUSDT/index"])

    assert resolved == {
        "BTCUSDT/mark": (("X-SWAP", "mark"),),
        "BTCUSDT/index": (("BTC-USD", "index"),),
    }


def test_every_error_of_a_map_is_named(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("A: 5\nB: {indx: [X]}\nC: {mark: [1]}\nconstants: {USDT-USD: -1}\n")

    with pytest.raises(SymbolMapError) as raised:
        load_map(path)

    message = str(raised.value)
    assert "A: 5 instead of index and mark" in message
    assert "B: unknown key 'indx'" in message
    assert "C: mark is [1] instead of a list of symbols" in message
    assert "USDT-USD: -1 is not a positive decimal" in message


@pytest.mark.parametrize("text", ["- a\n", "a: [\n", "just text"])
def test_what_is_no_map_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text)
    with pytest.raises(SymbolMapError, match=r"accepted: series"):
        load_map(path)


def test_a_file_that_feeds_nothing_is_refused() -> None:
    with pytest.raises(SymbolMapError, match="no series feeds a symbol: what, ever"):
        Mapper(SymbolMap(), ["what", "ever"])


def test_one_symbol_cannot_be_index_and_mark() -> None:
    clash = SymbolMap({"A": (("X", "index"),), "B": (("X", "mark"),)})
    with pytest.raises(SymbolMapError, match="both as index and as mark: X"):
        Mapper(clash, ["A", "B"])


def test_tether_stands_at_one_unless_the_file_has_it() -> None:
    mapper = Mapper(SymbolMap(), ["BTC-USDT", "odd"])
    chunks = [[Point(5, "BTC-USDT", "60000"), Point(6, "odd", "1"), Point(7, "odd", "2")]]

    assert list(mapper.quotes(chunks)) == [
        [
            Quote(5, "USDT-USD", "index", "1"),
            Quote(5, "BTC-USD", "index", "60000"),
            Quote(5, "BTC-USDT-SWAP", "mark", "60000"),
        ]
    ]
    assert mapper.unmapped == {"odd": 2}
    assert mapper.total({"BTC-USDT": 1, "odd": 2}) == 3
    assert "USDT-USD" not in dict(Mapper(SymbolMap(), ["USDT-USD"]).symbols[1:])


def test_a_price_of_tether_in_the_file_replaces_the_constant() -> None:
    mapper = Mapper(SymbolMap(), ["USDT-USD"])
    assert list(mapper.quotes([[Point(5, "USDT-USD", "0.99")]])) == [
        [Quote(5, "USDT-USD", "index", "0.99")]
    ]
