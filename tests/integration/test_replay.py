"""Replays into a real topic: every tick arrives, in order, twice if played twice."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.replay import (
    Beats,
    Pace,
    Progress,
    Quote,
    ReplaySettings,
    SyntheticMarket,
    Target,
    TopicError,
    play,
    replay,
)
from streams.replay.publisher import Tick
from tests.unit.replay.files import DAY_MS, own_csv, packed

pytestmark = pytest.mark.integration

FAST = Pace(speed=0)


async def create(kafka: str, prefix: str, partitions: int = 1) -> Target:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    settings = {"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime"}
    try:
        topic = f"{prefix}ticks"
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=settings)])
        # The broker that is asked next may not have heard of it yet.
        while not (await admin.describe_topics([topic]))[0]["partitions"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    finally:
        await admin.close()
    return Target(kafka, prefix)


async def records(target: Target) -> list[ConsumerRecord]:
    consumer = AIOKafkaConsumer(bootstrap_servers=target.brokers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partition = TopicPartition(target.topic, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        found: list[ConsumerRecord] = []
        while await consumer.position(partition) < end:
            for batch in (await consumer.getmany(partition, timeout_ms=1_000)).values():
                found.extend(batch)
        return found
    finally:
        await consumer.stop()


def ticks(found: list[ConsumerRecord]) -> list[tuple[Tick, dict[str, bytes]]]:
    """Ticks of recorded points with their headers, the repeats of beats left out."""
    decoded = [(msgspec.json.decode(r.value, type=Tick), dict(r.headers)) for r in found]
    return [(tick, headers) for tick, headers in decoded if "beat" not in headers]


def crash(folder: Path) -> Path:
    """Twenty seconds of two series, one of them falling by a tenth in nine bars."""
    rows = []
    for i in range(10):
        at = (DAY_MS + i * 2_000) * 1_000_000
        rows += [(at, "BTC-USDT", f"{60_000 - 600 * i}.0"), (at + 1_000_000, "ETH-USDT", "2400.00")]
    return packed(folder, "crash.csv", own_csv(rows), "zst")


async def test_every_tick_of_a_file_arrives_in_order(
    kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    target = await create(kafka, topic_prefix)

    report = await replay(ReplaySettings(crash(tmp_path), target, FAST))

    found = await records(target)
    played = ticks(found)
    assert len(played) == report.played.published
    assert report.played.published == 2 * (report.points + report.interpolated) + 1
    assert report.points == 20
    # Eight bars of 600 in eleven steps each, the last one (to 54,600: 54 a step) in twelve.
    assert report.interpolated == 8 * 10 + 11
    assert all(
        record.key == msgspec.json.decode(record.value)["symbol"].encode() for record in found
    )

    stamps = [tick.ts for tick, _ in played]
    assert stamps == sorted(stamps)
    assert (stamps[0], stamps[-1]) == (DAY_MS, DAY_MS + 18_001)
    assert played[0][0] == Tick("USDT-USD", "index", "1", DAY_MS, 1)
    btc = [tick for tick, _ in played if tick.symbol == "BTC-USD"]
    mark = [tick for tick, _ in played if tick.symbol == "BTC-USDT-SWAP"]
    prices = [float(tick.price) for tick in btc]
    assert (prices[0], prices[-1]) == (60_000.0, 54_600.0)
    assert all(0 < a - b <= 0.001 * a for a, b in pairwise(prices))
    assert [(t.price, t.ts) for t in btc] == [(t.price, t.ts) for t in mark]
    assert {(tick.symbol, tick.kind) for tick, _ in played} == {
        ("USDT-USD", "index"),
        ("BTC-USD", "index"),
        ("BTC-USDT-SWAP", "mark"),
        ("ETH-USD", "index"),
        ("ETH-USDT-SWAP", "mark"),
    }


@pytest.mark.parametrize("clock", ["event", "wall"])
async def test_px_5_a_file_played_twice_is_not_older_than_the_topic(
    kafka: str, topic_prefix: str, tmp_path: Path, clock: str
) -> None:
    target = await create(kafka, topic_prefix)
    pace = Pace(speed=0, clock="wall" if clock == "wall" else "event")
    settings = ReplaySettings(crash(tmp_path), target, pace, raw=True)

    first = await replay(settings)
    second = await replay(settings)

    assert first.played.published == second.played.published == 41
    found = await records(target)
    last: dict[str, tuple[int, int]] = {}
    for record in found:
        tick = msgspec.json.decode(record.value, type=Tick)
        # What PX-5 asks of a tick that is taken, repeats included.
        assert (tick.ts, tick.seq) > last.get(tick.symbol, (0, 0))
        assert tick.seq == last.get(tick.symbol, (0, 0))[1] + 1
        last[tick.symbol] = (tick.ts, tick.seq)
    played = ticks(found)
    assert len(played) == 82
    originals = [int(headers["original-ts"]) for _, headers in played[41:]]
    assert originals == sorted(originals)
    assert (originals[0], originals[-1]) == (DAY_MS, DAY_MS + 18_001)
    if clock == "event":
        assert first.played.shift_ms == 0
        moved = {tick.ts - at for (tick, _), at in zip(played[41:], originals, strict=True)}
        assert moved == {second.played.shift_ms}
        assert second.played.shift_ms == 18_002


async def test_a_market_without_a_file_is_played(kafka: str, topic_prefix: str) -> None:
    target = await create(kafka, topic_prefix)
    market = SyntheticMarket(seed=5, seconds=10)
    expected = [quote for chunk in market for quote in chunk]

    report = await play(market, target, FAST)

    assert report.published == len(expected)
    found = [tick for tick, _ in ticks(await records(target))]
    assert [(tick.symbol, tick.price) for tick in found] == [
        (quote.symbol, quote.price) for quote in expected
    ]
    assert [tick.ts for tick in found] == [quote.ts_ns // 1_000_000 for quote in expected]


async def test_stop_ends_a_slow_replay_and_what_was_sent_is_a_prefix(
    kafka: str, topic_prefix: str
) -> None:
    target = await create(kafka, topic_prefix)
    market = SyntheticMarket(seed=5, seconds=3_600)
    stop = asyncio.Event()

    def stop_soon(progress: Progress) -> None:
        if progress.published > 50:
            stop.set()

    pace = Pace(beats=Beats(hold=3_600))
    report = await play(market, target, pace, progress=stop_soon, stop=stop)

    assert report.stopped
    found = [tick for tick, _ in ticks(await records(target))]
    assert len(found) == report.published
    expected: list[Quote] = []
    for chunk in market:
        expected.extend(chunk)
        if len(expected) >= len(found):
            break
    assert [tick.price for tick in found] == [quote.price for quote in expected[: len(found)]]


async def test_a_missing_topic_is_named(kafka: str, topic_prefix: str, tmp_path: Path) -> None:
    with pytest.raises(TopicError, match=f"{topic_prefix}ticks does not exist"):
        await replay(ReplaySettings(crash(tmp_path), Target(kafka, topic_prefix), FAST))


async def test_a_topic_of_several_partitions_is_refused(
    kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    target = await create(kafka, topic_prefix, partitions=2)
    with pytest.raises(TopicError, match="2 partitions"):
        await replay(ReplaySettings(crash(tmp_path), target, FAST))


SCRIPT = """
import sys
from pathlib import Path
from streams.replay import Pace, ReplaySettings, Target
from streams.replay.console import run_replay
brokers, prefix, file, speed = sys.argv[1:]
pace = Pace(speed=float(speed))
sys.exit(run_replay(ReplaySettings(Path(file), Target(brokers, prefix), pace)))
"""


async def command(target: Target, file: Path, speed: float) -> Process:
    arguments = (target.brokers, target.prefix, str(file), str(speed))
    return await create_subprocess_exec(sys.executable, "-c", SCRIPT, *arguments, stderr=PIPE)


async def test_the_command_says_how_many_ticks_were_interpolated(
    kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    target = await create(kafka, topic_prefix)
    running = await command(target, crash(tmp_path), speed=0)
    _, output = await running.communicate()

    assert running.returncode == 0
    text = output.decode()
    assert "crash.csv.zst" in text
    assert "own: 2 series, 20 recorded prices, 91 interpolated, 111 in all" in text
    assert "published 223 ticks of 5 symbols" in text


async def test_ctrl_c_ends_the_command_and_says_so(
    kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    target = await create(kafka, topic_prefix)
    running = await command(target, crash(tmp_path), speed=0.001)
    assert running.stderr is not None
    # The first line of progress: it is publishing, and has hours to go.
    first = await running.stderr.readline()
    running.send_signal(signal.SIGINT)
    _, rest = await running.communicate()

    assert b"ticks" in first
    assert running.returncode == 130
    assert b"interrupted" in rest
    assert b"Traceback" not in rest


async def test_a_bad_file_ends_the_command_with_the_reason(
    kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    running = await command(Target(kafka, topic_prefix), packed(tmp_path, "x.csv", "a,b\n"), 1)
    _, output = await running.communicate()

    assert running.returncode == 1
    assert b"x.csv: columns found: a, b; accepted: own" in output
    assert b"Traceback" not in output
