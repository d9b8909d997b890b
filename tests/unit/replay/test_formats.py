"""Every layout, in every packing, from files small enough to check by eye."""

from pathlib import Path

import pyarrow as pa
import pytest

from streams.replay import Point, RecordingError, UnknownLayoutError
from streams.replay.formats import Recording, open_recording
from tests.unit.replay.files import DAY_MS, PACKINGS, SECOND, own_csv, packed, parquet

DAY_NS = DAY_MS * 1_000_000


def points(recording: Recording) -> list[Point]:
    return [point for chunk in recording.chunks() for point in chunk]


def read(path: Path) -> list[Point]:
    return points(open_recording(path))


AGG_TRADES = """agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker
1,58161.00,0.002,10,10,1722816000000,true
2,58000.50,0.100,11,12,1722816001000,false
"""
BARE_SPOT_AGG_TRADES = """1,58161.00,0.002,10,10,1722816000000,True,True
2,58000.50,0.100,11,12,1722816001000,False,True
"""
MICROSECOND_AGG_TRADES = """1,58161.00,0.002,10,10,1722816000000000,True,True
2,58000.50,0.100,11,12,1722816001000000,False,True
"""
TRADES = """id,price,qty,quote_qty,time,is_buyer_maker
1,58161.00,0.002,116.32,1722816000000,true
2,58000.50,0.100,5800.05,1722816001000,false
"""
BARE_TRADES = TRADES.split("\n", 1)[1]
BARE_SPOT_TRADES = """1,58161.00,0.002,116.32,1722816000000,True,True
2,58000.50,0.100,5800.05,1722816001000,False,True
"""
BOOK_TICKER = """update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time
1,58160.90,1.5,58161.10,2.0,1722816000000,1722816000004
2,58000.00,1.5,58001.00,2.0,1722816001000,1722816001004
"""
BARE_BOOK_TICKER = BOOK_TICKER.split("\n", 1)[1]
OKX_TRADES = """instrument_name,trade_id,side,price,size,created_time,source
BTC-USDT-SWAP,1,buy,58161.00,2,1722816000000,0
ETH-USDT-SWAP,2,sell,2400.5,1,1722816001000,0
"""
TARDIS_TRADES = """exchange,symbol,timestamp,local_timestamp,id,side,price,amount
deribit,BTC-PERPETUAL,1722815999990000,1722816000000000,7,buy,58161.5,10
"""
TARDIS_QUOTES = """exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount
binance-futures,BTCUSDT,1722815999990000,1722816000000000,86,58162,58161,12
"""
TARDIS_TICKER = """exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,\
predicted_funding_rate,open_interest,last_price,index_price,mark_price
binance-futures,BTCUSDT,1722815999990000,1722816000000000,,0.0001,,9,58100,58090,58095.5
binance-futures,BTCUSDT,1722815999990000,1722816001000000,,0.0001,,9,58100,58091,
"""
TWO_TRADES = [Point(DAY_NS, "BTCUSDT", "58161.00"), Point(DAY_NS + SECOND, "BTCUSDT", "58000.50")]


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize(
    ("name", "text", "layout", "expected"),
    [
        ("BTCUSDT-aggTrades-2024-08-05.csv", AGG_TRADES, "Binance aggTrades", TWO_TRADES),
        ("BTCUSDT-aggTrades-2024-08-05.csv", BARE_SPOT_AGG_TRADES, "Binance aggTrades", TWO_TRADES),
        ("BTCUSDT-aggTrades-2024-08.csv", MICROSECOND_AGG_TRADES, "Binance aggTrades", TWO_TRADES),
        ("BTCUSDT-trades-2024-08-05.csv", TRADES, "Binance trades", TWO_TRADES),
        ("BTCUSDT-trades-2024-08-05.csv", BARE_TRADES, "Binance trades", TWO_TRADES),
        ("BTCUSDT-trades-2024-08-05.csv", BARE_SPOT_TRADES, "Binance trades", TWO_TRADES),
        (
            "BTCUSDT-bookTicker-2024-08-05.csv",
            BOOK_TICKER,
            "Binance bookTicker",
            [
                Point(DAY_NS, "BTCUSDT", "58161.000"),
                Point(DAY_NS + SECOND, "BTCUSDT", "58000.500"),
            ],
        ),
        (
            "BTCUSD_PERP-bookTicker-2024-08-05.csv",
            BARE_BOOK_TICKER,
            "Binance bookTicker",
            [
                Point(DAY_NS, "BTCUSD_PERP", "58161.000"),
                Point(DAY_NS + SECOND, "BTCUSD_PERP", "58000.500"),
            ],
        ),
        (
            "own.csv",
            own_csv([(DAY_NS, "BTC-USDT", "58161.00"), (DAY_NS + 1, "ETH-USDT", "2400")]),
            "own",
            [Point(DAY_NS, "BTC-USDT", "58161.00"), Point(DAY_NS + 1, "ETH-USDT", "2400")],
        ),
        (
            "allswap-trades-2024-08-05.csv",
            OKX_TRADES,
            "OKX trades",
            [
                Point(DAY_NS, "BTC-USDT-SWAP", "58161.00"),
                Point(DAY_NS + SECOND, "ETH-USDT-SWAP", "2400.5"),
            ],
        ),
        (
            "BTC-USDT-SWAP-aggtrades-2021-12-01.csv",
            "1,BUY,0.5,58161.00,1722816000000\n2,SELL,1,58000.50,1722816001000\n",
            "OKX trades, one instrument a file",
            [
                Point(DAY_NS, "BTC-USDT-SWAP", "58161.00"),
                Point(DAY_NS + SECOND, "BTC-USDT-SWAP", "58000.50"),
            ],
        ),
        (
            "trades.csv",
            TARDIS_TRADES,
            "Tardis trades",
            [Point(DAY_NS, "BTC-PERPETUAL", "58161.5")],
        ),
        (
            "quotes.csv",
            TARDIS_QUOTES,
            "Tardis quotes",
            [Point(DAY_NS, "BTCUSDT", "58161.5")],
        ),
        (
            "derivative_ticker.csv",
            TARDIS_TICKER,
            "Tardis derivative_ticker",
            [
                Point(DAY_NS, "BTCUSDT/mark", "58095.5"),
                Point(DAY_NS, "BTCUSDT/index", "58090"),
                Point(DAY_NS + SECOND, "BTCUSDT/index", "58091"),
            ],
        ),
    ],
)
def test_a_layout_is_recognised_and_read_in_every_packing(
    tmp_path: Path, name: str, text: str, layout: str, expected: list[Point], packing: str
) -> None:
    recording = open_recording(packed(tmp_path, name, text, packing))

    assert recording.layout == layout
    assert points(recording) == expected
    assert recording.points == len(expected)
    assert (recording.first_ns, recording.last_ns) == (expected[0].ts_ns, expected[-1].ts_ns)
    assert recording.bad.count == 0


@pytest.mark.parametrize("encoding", ["gbk", "utf-8", "utf-8-sig"])
def test_okx_headers_in_two_languages(tmp_path: Path, encoding: str) -> None:
    text = (
        "trade_id/撮合id,side/交易方向,size/数量,price/价格,created_time/成交时间\n"
        "1,buy,0.5,58161.00,1722816000000\n"
    )
    path = packed(tmp_path, "BTC-USDT-trades-2022-05-01.csv", text.encode(encoding))

    assert read(path) == [Point(DAY_NS, "BTC-USDT", "58161.00")]


@pytest.mark.parametrize(
    ("folder", "series"),
    [
        ("klines", "BTCUSDT"),
        ("markPriceKlines", "BTCUSDT/mark"),
        ("indexPriceKlines", "BTCUSDT/index"),
    ],
)
def test_a_bar_gives_four_points_and_a_falling_one_goes_through_its_high_first(
    tmp_path: Path, folder: str, series: str
) -> None:
    # Binance files them as markPriceKlines/BTCUSDT/1m/BTCUSDT-1m-2024-08-05.zip
    place = tmp_path / folder / "BTCUSDT" / "1m"
    place.mkdir(parents=True)
    text = (
        "1722816000000,100,110,90,95,0,1722816059999,0,60,0,0,0\n"
        "1722816060000,95,120,94,118,0,1722816119999,0,60,0,0,0\n"
    )
    found = read(packed(place, "BTCUSDT-1m-2024-08-05.csv", text, "zip"))

    assert [point.price for point in found] == ["100", "110", "90", "95", "95", "94", "120", "118"]
    assert {point.series for point in found} == {series}
    assert [(p.ts_ns - DAY_NS) // 1_000_000 for p in found] == [
        0, 19_999, 39_999, 59_999, 60_000, 79_999, 99_999, 119_999,
    ]  # fmt: skip


def test_parquet_floats_get_their_shortest_form_and_keep_no_exponent(tmp_path: Path) -> None:
    prices = [0.1 + 0.2, 20948.0, 12_345_678_901.5, 1e-7]
    columns = {
        "ts_ns": pa.array([DAY_NS + i for i in range(4)], pa.int64()),
        "symbol": pa.array(["A-USDT"] * 4).dictionary_encode(),
        "price": pa.array(prices, pa.float64()),
        "point": pa.array(["O"] * 4),
    }
    found = [point.price for point in read(parquet(tmp_path, "own.parquet", columns))]

    assert found == ["0.30000000000000004", "20948", "12345678901.5", "0.0000001"]
    assert [float(price) for price in found] == prices


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_parquet_with_timestamps_and_decimals(tmp_path: Path, unit: str) -> None:
    ticks = DAY_NS // {"ms": 1_000_000, "us": 1_000, "ns": 1}[unit]
    columns = {
        "ts_ns": pa.array([ticks], pa.timestamp(unit, tz="UTC")),
        "symbol": pa.array(["BTC-USDT"], pa.large_string()),
        "price": pa.array(["58161.50"]).cast(pa.decimal128(12, 2)),
    }
    assert read(parquet(tmp_path, "own.parquet", columns)) == [
        Point(DAY_NS, "BTC-USDT", "58161.50")
    ]


def test_prices_of_csv_stay_as_written(tmp_path: Path) -> None:
    written = ["0.10000", "61837.63500000", "1e3", ".5", "7."]
    rows = [(DAY_NS + i, "A", price) for i, price in enumerate(written)]

    found = [point.price for point in read(packed(tmp_path, "own.csv", own_csv(rows)))]

    assert found == ["0.10000", "61837.63500000", "1000", "0.5", "7"]


def test_bad_rows_are_left_out_counted_and_named_by_their_line(tmp_path: Path) -> None:
    text = (
        "ts_ns,symbol,price\n"  # line 1
        f"{DAY_NS},A,1\n"
        f"{DAY_NS},A,-1\n"  # line 3
        "\n"
        f"{DAY_NS},A\n"  # line 5
        f"{DAY_NS},A,nan\n"  # line 6
        "never,A,1\n"  # line 7
        f"{DAY_NS},,1\n"  # line 8
        f"{DAY_NS},A,0.00\n"  # line 9
        f"{DAY_NS},A,2\n"
        f"{DAY_NS},A,1e999\n"  # line 11
        "\n"
    )
    recording = open_recording(packed(tmp_path, "own.csv", text))

    assert [point.price for point in points(recording)] == ["1", "2"]
    assert recording.bad.count == 7
    shown = sorted(recording.bad.samples)
    assert len(shown) == 5
    assert shown[0].startswith("own.csv line 3: price is not a positive decimal")
    assert shown[1].startswith("own.csv line 5: 2 fields instead of 3")
    assert shown[2].startswith("own.csv line 6: price is not a positive decimal")
    assert shown[3].startswith("own.csv line 7: ts_ns is not a time")
    assert shown[4].startswith("own.csv line 8: symbol is empty")


def test_bad_rows_of_parquet_are_named_by_their_row(tmp_path: Path) -> None:
    columns = {
        "ts_ns": pa.array([DAY_NS, None, DAY_NS, DAY_NS], pa.int64()),
        "symbol": pa.array(["A"] * 4),
        "price": pa.array([1.0, 2.0, float("nan"), float("inf")]),
    }
    recording = open_recording(parquet(tmp_path, "own.parquet", columns))

    assert recording.points == 1
    assert recording.bad.count == 3
    assert [sample.split(":")[0] for sample in recording.bad.samples] == [
        "own.parquet row 2",
        "own.parquet row 3",
        "own.parquet row 4",
    ]


def test_an_unknown_layout_names_the_columns_found_and_those_accepted(tmp_path: Path) -> None:
    with pytest.raises(UnknownLayoutError) as raised:
        open_recording(packed(tmp_path, "x.csv", "when,what,how_much\na,b,c\n"))

    message = str(raised.value)
    assert "x.csv" in message
    assert "when, what, how_much" in message
    assert "Tardis derivative_ticker (symbol, local_timestamp" in message


def test_rows_without_a_header_that_fit_no_dump_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownLayoutError, match="no header row, and 3 columns"):
        open_recording(packed(tmp_path, "x.csv", "1,2,3\n"))


def test_a_dump_without_its_symbol_in_the_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownLayoutError, match="name the file as it was published"):
        open_recording(packed(tmp_path, "mine.csv", AGG_TRADES))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"ts_ns,symbol,price\n", "no usable row"),
        (b"ts_ns,symbol,price\n1,A,0\n", "no usable row.*line 2: price is not a positive decimal"),
        (b"PK\x03\x04 and no zip", "not readable"),
        (b"PAR1 and no parquet", "not readable"),
        (b"\x1f\x8b and no gzip", "not readable"),
    ],
)
def test_a_file_without_prices_is_refused_with_the_reason(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    with pytest.raises(RecordingError, match=reason):
        open_recording(packed(tmp_path, "x.csv", data))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        open_recording(tmp_path / "absent.parquet")


def test_rows_out_of_order_come_in_time_order_and_equal_times_as_written(tmp_path: Path) -> None:
    rows = [(DAY_NS + 5, "A", "5"), (DAY_NS, "B", "1"), (DAY_NS + 5, "C", "6"), (DAY_NS, "A", "2")]
    recording = open_recording(packed(tmp_path, "own.csv", own_csv(rows)))

    assert not recording.ordered
    assert [point.price for point in points(recording)] == ["1", "2", "5", "6"]
    assert (recording.first_ns, recording.last_ns) == (DAY_NS, DAY_NS + 5)


def test_a_recording_can_be_read_again(tmp_path: Path) -> None:
    recording = open_recording(packed(tmp_path, "own.csv", own_csv([(DAY_NS, "A", "1")]), "gz"))
    assert points(recording) == points(recording) == [Point(DAY_NS, "A", "1")]


def test_many_batches_keep_order_lines_and_counts(tmp_path: Path) -> None:
    rows = [(DAY_NS + i, f"S{i % 3}", str(i + 1)) for i in range(300_000)]
    rows[250_000] = (DAY_NS + 250_000, "S1", "x")
    recording = open_recording(packed(tmp_path, "own.csv", own_csv(rows)))

    found = points(recording)

    assert [int(p.price) for p in found] == [i + 1 for i in range(300_000) if i != 250_000]
    assert recording.bad.samples[0].startswith("own.csv line 250002:")
    assert recording.counts == {"S0": 100_000, "S1": 99_999, "S2": 100_000}
