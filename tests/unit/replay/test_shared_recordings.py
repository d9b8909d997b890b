"""The recorded crashes: what they hold and what interpolation makes of them."""

from pathlib import Path

import pytest

from streams.replay import open_stream
from streams.replay.formats import open_recording
from streams.replay.interpolate import Interpolator

FTX = "crash_ftx_20221107_10_okx_9sym_5m.parquet"
TARIFF = "crash_tariff_20250406_09_binance_12sym_3m.parquet"
DENSE = "dense_20240808_binance_11min_ticks.parquet"


def recorded(shared_dir: Path, name: str) -> Path:
    return shared_dir / "replay" / name


@pytest.mark.parametrize(
    ("name", "points", "series"), [(FTX, 41_472, 9), (TARIFF, 92_160, 12), (DENSE, 414_569, 6)]
)
def test_a_recording_is_read_whole(shared_dir: Path, name: str, points: int, series: int) -> None:
    recording = open_recording(recorded(shared_dir, name))
    assert (recording.points, len(recording.series)) == (points, series)
    assert recording.ordered
    assert recording.bad.count == 0


def test_the_ftx_crash_becomes_about_195_000_ticks(shared_dir: Path) -> None:
    recording = open_recording(recorded(shared_dir, FTX))
    interpolator = Interpolator()

    played = [point for chunk in interpolator.chunks(recording.chunks()) for point in chunk]

    assert len(played) == pytest.approx(195_000, rel=0.05)
    assert len(played) == recording.points + interpolator.added
    assert len({point.series for point in played}) == 9
    last: dict[str, float] = {}
    for point in played:
        price = float(point.price)
        before = last.get(point.series, price)
        assert abs(price - before) <= 0.001 * before * (1 + 1e-12)
        last[point.series] = price


def test_dense_ticks_keep_their_own_marks_and_nothing_is_put_between(shared_dir: Path) -> None:
    stream = open_stream(recorded(shared_dir, DENSE), raw=True)
    assert {symbol for symbol, _ in stream.symbols} == {
        "USDT-USD", "BTC-USD", "ETH-USD",
        "BTC-USDT-SWAP", "ETH-USDT-SWAP", "BTC-USD-SWAP", "ETH-USD-SWAP",
    }  # fmt: skip
    assert stream.total == 414_570
