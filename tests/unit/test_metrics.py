"""Metrics, probes and traces of a worker, without a broker."""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from monitor.engine import Decision
from monitor.schema import Cause
from streams.exceptions import CommandError
from streams.journal import (
    CommandOut,
    JournalFenced,
    JournalLost,
    OffsetGap,
    OutletLost,
    PausedTooLong,
    SourceReplaced,
)
from streams.metrics import CATALOGUE, METRICS, Meters
from streams.metrics.collector import collect
from streams.metrics.health import STALL_SECONDS, alive, ready
from streams.metrics.histogram import Histogram
from streams.metrics.server import MetricsServer
from streams.metrics.serving import measured
from streams.metrics.standstill import Place, Standstills
from streams.metrics.tracing import make_tracer
from streams.metrics.underway import MOST_UNDERWAY, Underway
from streams.settings import Settings

PLACE: Place = ("fills", 3)


def settings(**more: Any) -> Settings:
    return Settings(worker_id="w-1", **more)


def cause(kind: Any = "tick") -> Cause:
    if kind == "tick":
        return Cause(kind="tick", symbol="BTC-USD", price=Decimal(50_000), ts=1_000)
    return Cause(kind=kind, id="f-1", ts=1_000)


def decision(*ids: str, kind: Any = "tick") -> Decision:
    """Return a decision with commands that have no more than what is read of them here."""
    commands: list[Any] = [
        SimpleNamespace(command_id=name, kind="warning", episode_id="a#1", cause=cause(kind))
        for name in ids
    ]
    return Decision("a", 3, commands)


def message(name: str, kind: str = "warning", value: bytes = b"{}") -> CommandOut:
    return CommandOut(
        "warnings", b"a", value, (("command-id", name.encode()), ("kind", kind.encode()))
    )


def owned(number: int, *, ready: bool, reason: str = "claiming", outbox: int = 0) -> Any:
    span = SimpleNamespace(ready=ready, reason=reason, partition=number)
    return SimpleNamespace(number=number, span=span, outbox=outbox, published_span=lambda: span)


def parts(*partitions: Any, inputs: bool = True, engine: Any = None) -> Any:
    """Return what of a worker is read, without its engine."""
    is_set = asyncio.Event()
    if inputs:
        is_set.set()
    topics = SimpleNamespace(ticks="ticks", bare=lambda name: name)
    return SimpleNamespace(
        runtime=SimpleNamespace(
            inputs=is_set, topics=topics, engine=engine, settings=settings(), now=lambda: 0
        ),
        partitions={one.number: one for one in partitions},
        ticking=SimpleNamespace(lag=7, position=90),
        view=SimpleNamespace(available=True, staleness=0.25, waiting=11),
        totalling=SimpleNamespace(counting=SimpleNamespace(waiting=12)),
        beat=None,
    )


def values(meters: Meters, standstills: Standstills | None = None) -> dict[Any, float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in collect(settings(), meters, standstills or Standstills(), 100.0)
        for sample in family.samples
    }


# -- figures ------------------------------------------------------------------------------------


def test_names_say_their_units_and_kinds() -> None:
    for metric in CATALOGUE:
        assert metric.name.startswith("liqmon_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.text.endswith(".")
    assert len(METRICS) == len(CATALOGUE)


def test_nothing_is_put_into_the_global_registry() -> None:
    names = {family.name for family in REGISTRY.collect()}
    assert not any(name.startswith("liqmon_") for name in names)


@given(st.lists(st.floats(min_value=-1, max_value=100), max_size=50))
def test_histogram_counts_what_is_at_most_each_bound(observed: list[float]) -> None:
    histogram = Histogram((0.5, 1.0, 10.0))
    for seconds in observed:
        histogram.observe(seconds)
    for bound, count in histogram.buckets():
        assert count == sum(max(0.0, seconds) <= float(bound) for seconds in observed)
    assert histogram.count == len(observed)
    assert histogram.sum == pytest.approx(sum(max(0.0, seconds) for seconds in observed))


def test_a_worker_without_partitions_shows_every_label_at_zero() -> None:
    found = values(Meters())
    assert found[("liqmon_commands_total", "order_cancel")] == 0
    assert found[("liqmon_episodes_total", "stuck")] == 0
    assert found[("liqmon_worker_restarts_total", "refused")] == 0
    assert found[("liqmon_ready",)] == 0
    assert ("liqmon_partitions", "ready") not in found


def test_figures_of_partitions_are_read_at_the_scrape() -> None:
    meters = Meters()
    meters.attach(
        parts(
            owned(0, ready=True, outbox=2),
            owned(1, ready=False, reason="catching up", outbox=3),
            owned(2, ready=False, reason="account topics lag by 12000 ms"),
        )
    )
    standstills = Standstills()
    standstills.observe(("fills", 1), 0, position=10, end=25, taken=10, committed=10)
    standstills.observe(("ticks", 0), 0, position=60, end=100, taken=0, committed=0)
    found = values(meters, standstills)
    assert found[("liqmon_partitions", "ready")] == 1
    assert found[("liqmon_partitions", "catching_up")] == 1
    assert found[("liqmon_partitions", "unready")] == 1
    assert found[("liqmon_outbox_commands",)] == 5
    assert found[("liqmon_account_topic_lag_records", "fills", "1")] == 15
    # The reader knows of 7 more; the broker says that there are 100, and it is at 90.
    assert found[("liqmon_tick_lag_records",)] == 10
    assert found[("liqmon_redis_staleness_seconds",)] == 0.25
    assert found[("liqmon_redis_waiting_accounts",)] == 11
    assert found[("liqmon_totals_waiting_accounts",)] == 12


def test_counts_outlive_the_worker_that_made_them() -> None:
    meters = Meters()
    prices = SimpleNamespace(dropped=1, held=2)
    first = parts(
        engine=SimpleNamespace(missed_crossings=3, assessed=4, prices=prices),
    )
    meters.attach(first)
    meters.detach(first)
    meters.detach(first)  # once is enough
    meters.attach(parts(engine=SimpleNamespace(missed_crossings=10, assessed=10, prices=prices)))
    assert meters.engine_counts.missed_crossings == 13
    assert (meters.engine_counts.dropped, meters.engine_counts.held) == (2, 4)


def test_published_messages_are_counted_by_kind_and_episodes_by_state() -> None:
    meters = Meters()
    meters.published(
        [
            message("1"),
            message("1"),
            message("2", "episode", b'{"state":"stuck"}'),
            message("3", "episode", b"no json"),
            message("", "dead_letter"),
            message("", "heartbeat"),
        ]
    )
    assert meters.commands["warning"] == 2
    assert meters.commands["episode"] == 2
    assert meters.episodes["stuck"] == 1
    assert meters.dead_letters == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (JournalFenced(), "fenced"),
        (PausedTooLong(), "paused"),
        (OffsetGap(), "journal_lost"),
        (JournalLost(), "journal_lost"),
        (SourceReplaced(), "refused"),
        (OutletLost(), "outlet_lost"),
        (RuntimeError(), "other"),
        (None, "other"),
    ],
)
def test_restarts_are_counted_by_reason(error: BaseException | None, reason: str) -> None:
    meters = Meters()
    meters.restarted(error)
    assert {name for name, count in meters.restarts.items() if count} == {reason}


def test_h_6_partitions_are_blind_while_not_ready_and_while_nobody_has_them() -> None:
    meters = Meters()
    meters.sample(1.0, 0.0)
    assert meters.unready_seconds == 0  # it never had any
    meters.attach(parts(owned(0, ready=False), owned(1, ready=True)))
    meters.assigned({0, 1})
    meters.sample(0.5, 0.0)
    assert meters.unready_seconds == 0.5
    meters.revoked()
    meters.sample(2.0, 0.0)
    assert meters.unready_seconds == 4.5
    meters.assigned(set())
    meters.attach(parts())
    meters.assigned(set())
    meters.sample(1.0, 0.0)
    assert meters.unready_seconds == 4.5


def test_recovery_is_counted_once_for_each_time_a_partition_is_assigned() -> None:
    meters = Meters()
    partitions = [owned(0, ready=True), owned(1, ready=False)]
    meters.assigned({0, 1})
    meters.became_ready(partitions)
    meters.became_ready(partitions)
    assert meters.recoveries.count == 1
    partitions[1].span.ready = True
    meters.became_ready(partitions)
    assert meters.recoveries.count == 2


def test_h_8_the_longest_delay_of_the_loop_is_shown_and_then_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("streams.metrics.meters.time.monotonic", lambda: now)
    meters = Meters()
    assert meters.loop_lag == 0
    meters.sample(0.1, 2.0)
    now += 14
    meters.sample(0.1, 0.01)
    assert meters.loop_lag == 2.0
    now += 2
    meters.sample(0.1, 0.02)
    assert meters.loop_lag == 0.02


# -- decisions on their way ---------------------------------------------------------------------


def test_age_runs_from_the_append_of_the_cause_to_the_publishing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meters = Meters()
    monkeypatch.setattr(meters._underway, "_clock", lambda: 1_000_040_000_000)
    meters.decided(decision("1", "2"), 1_000_000)
    meters.published([message("1")])
    assert meters.ages["tick"].count == 0  # the second is still on its way
    meters.published([message("2"), message("2")])
    assert meters.ages["tick"].count == 1
    assert meters.ages["tick"].sum == pytest.approx(0.04)
    meters.decided(decision("3", kind="fill"), 1_000_030)
    meters.decided(decision("4", kind="timer"), None)
    meters.published([message("3"), message("4")])
    assert meters.ages["account"].count == 1
    assert meters.ages["account"].sum == pytest.approx(0.01)


def test_what_a_lost_partition_left_behind_is_bounded_and_forgotten() -> None:
    underway = Underway(lambda _: None)
    for number in range(MOST_UNDERWAY + 10):
        underway.decided(decision(str(number)), 0)
    assert len(underway) == MOST_UNDERWAY
    underway.clear()
    underway.published([message("5")])
    assert len(underway) == 0


# -- health -------------------------------------------------------------------------------------


def seen(standstills: Standstills, now: float, position: int, end: int, committed: int) -> None:
    standstills.observe(PLACE, now, position=position, end=end, taken=position, committed=committed)


def test_a_consumer_that_stands_still_while_records_come_is_not_alive() -> None:
    standstills = Standstills()
    seen(standstills, 0, 10, 10, 10)
    seen(standstills, 5, 10, 12, 10)
    assert alive(standstills, 5 + STALL_SECONDS)
    seen(standstills, 10, 10, 40, 10)
    verdict = alive(standstills, 6 + STALL_SECONDS)
    assert not verdict
    assert verdict.reasons == ("fills-3: at 10 of 40 for 61 s",)
    seen(standstills, 80, 11, 40, 11)  # it moves again
    assert alive(standstills, 200)


@pytest.mark.parametrize(
    "ends",
    [
        [10, 10, 10],  # nothing to read
        [10, 11, 11],  # the marker that ends a transaction is given to nobody
    ],
)
def test_a_consumer_with_nothing_to_read_is_alive(ends: list[int]) -> None:
    standstills = Standstills()
    for now, end in enumerate(ends):
        seen(standstills, now * 100.0, 10, end, 10)
    assert alive(standstills, 1000)


def test_a_commit_that_stands_still_is_not_alive_and_one_that_moves_is() -> None:
    standstills = Standstills()
    seen(standstills, 0, 10, 10, 10)
    for now in range(5, 100, 5):  # always a little behind, but moving
        seen(standstills, now, 10 + now, 10 + now, 9 + now)
        assert standstills.commit_age(now) == 0
    for now in range(100, 200, 5):
        seen(standstills, now, 10 + now, 10 + now, 104)
    verdict = alive(standstills, 195)
    assert verdict.reasons == ("fills-3: no commit since 104 for 100 s",)
    assert standstills.commit_age(195) == 100


def test_a_broker_that_does_not_answer_says_nothing_of_the_worker() -> None:
    standstills = Standstills()
    seen(standstills, 0, 10, 10, 10)
    seen(standstills, 5, 10, 99, 10)
    standstills.unknown()
    seen(standstills, 600, 10, 99, 10)
    assert alive(standstills, 601)
    assert not alive(standstills, 601 + STALL_SECONDS)


def test_what_is_owned_no_more_is_judged_no_more() -> None:
    standstills = Standstills()
    seen(standstills, 0, 10, 10, 10)
    seen(standstills, 5, 10, 99, 10)
    standstills.keep(set())
    assert alive(standstills, 1000)


def test_h_6_readiness_names_what_is_not_ready() -> None:
    meters = Meters()
    assert "no worker runs" in ready(meters).reasons[0]
    meters.attach(parts())
    assert "given no partitions" in ready(meters).reasons[0]
    meters.assigned(set())
    assert ready(meters)
    assert ready(meters).note == "standing by, owns no partition"
    meters.attach(parts(inputs=False))
    meters.assigned({0})
    assert "reference set" in ready(meters).reasons[0]
    meters.attach(parts(owned(0, ready=True), owned(5, ready=False)))
    meters.assigned({0, 5})
    assert ready(meters).reasons == ("partition 5: claiming",)
    meters.attach(parts(owned(0, ready=True)))
    meters.assigned({0})
    assert ready(meters)
    meters.revoked()
    assert not ready(meters)


# -- the server ---------------------------------------------------------------------------------


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Return a loop that turns in a thread of its own."""
    found = asyncio.new_event_loop()
    thread = threading.Thread(target=found.run_forever, daemon=True)
    thread.start()
    yield found
    found.call_soon_threadsafe(found.stop)
    thread.join(10)
    found.close()


@pytest.fixture
def served(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[[str], tuple[int, str]]]:
    """Return what asks a server whose worker is not a member of the group."""
    meters = Meters()
    meters.sample(0.1, 0.0)
    server = MetricsServer(settings(), meters, Standstills(), loop, seconds=0.3)
    server.start()

    def get(path: str, method: str = "GET") -> tuple[int, str]:
        assert server._server is not None
        connection = http.client.HTTPConnection("127.0.0.1", server._server.server_port, timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        try:
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    yield get
    server.stop()


def test_probes_answer_with_their_reasons(served: Callable[..., tuple[int, str]]) -> None:
    assert served("/healthz") == (200, '{"alive": true, "reasons": []}\n')
    status, text = served("/readyz")
    assert status == 503
    assert json.loads(text)["reasons"] == ["no worker runs: it starts anew after a loss"]
    assert served("/readyz?verbose")[0] == 503
    assert served("/other")[0] == 404
    assert served("/metrics", "POST")[0] == 405
    status, text = served("/metrics")
    assert status == 200
    assert 'liqmon_worker_info{clock="wall"' in text
    assert "process_cpu_seconds_total" in text


def test_h_8_a_loop_that_does_not_turn_is_not_alive(
    loop: asyncio.AbstractEventLoop, served: Callable[..., tuple[int, str]]
) -> None:
    goes_on = threading.Event()
    loop.call_soon_threadsafe(goes_on.wait, 30)
    time.sleep(0.05)
    status, text = served("/healthz")
    assert (status, json.loads(text)["alive"]) == (503, False)
    assert "has not answered" in text
    assert served("/readyz")[0] == 503
    text = served("/metrics")[1]
    assert "liqmon_alive 0.0" in text
    (lag,) = [s for s in text.splitlines() if s.startswith("liqmon_loop_lag_seconds ")]
    assert float(lag.split()[1]) > 0.3
    goes_on.set()
    assert served("/healthz")[0] == 200


def test_a_port_that_is_taken_is_named(served: Callable[..., Any]) -> None:
    loop = asyncio.new_event_loop()
    first = MetricsServer(settings(), Meters(), Standstills(), loop)
    first.start()
    assert first._server is not None
    port = first._server.server_port
    try:
        second = MetricsServer(settings(metrics_port=port), Meters(), Standstills(), loop)
        with pytest.raises(CommandError, match=f"LIQMON_METRICS_PORT={port}"):
            second.start()
    finally:
        first.stop()
        loop.close()


async def test_without_a_port_nothing_listens_and_nothing_watches() -> None:
    before = threading.active_count()
    async with measured(settings()) as meters:
        assert meters.tracer is None
        assert threading.active_count() == before
        assert len(asyncio.all_tasks()) == 1
    meters.decided(decision("1"), 5)
    meters.published([message("1")])
    assert meters.ages["tick"].count == 1


# -- traces -------------------------------------------------------------------------------------


def test_a_decision_is_one_span_from_append_to_publishing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter = InMemorySpanExporter()
    tracer = make_tracer(settings(otlp_endpoint="http://127.0.0.1:1"), exporter)
    assert tracer is not None
    meters = Meters(tracer)
    times = iter([1_000_010_000_000, 1_000_020_000_000, 1_000_030_000_000])
    monkeypatch.setattr(meters._underway, "_clock", lambda: next(times))
    meters.decided(decision("1", "2"), 1_000_000)
    meters.durable([("a", message("1")), ("a", message("2"))])
    meters.published([message("1"), message("2")])
    tracer.close()
    (span,) = exporter.get_finished_spans()
    assert span.name == "decision"
    assert (span.start_time, span.end_time) == (1_000_000_000_000, 1_000_030_000_000)
    assert [(event.name, event.timestamp) for event in span.events] == [
        ("decided", 1_000_010_000_000),
        ("durable", 1_000_020_000_000),
        ("published", 1_000_030_000_000),
    ]
    assert span.attributes is not None
    assert span.attributes["liqmon.command_ids"] == ("1", "2")
    assert span.attributes["liqmon.cause"] == "tick"
    assert span.attributes["liqmon.symbol"] == "BTC-USD"
    assert span.resource.attributes["service.instance.id"] == "w-1"


def test_a_span_never_ends_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker's clock may be ahead of this machine's."""
    exporter = InMemorySpanExporter()
    tracer = make_tracer(settings(otlp_endpoint="http://127.0.0.1:1"), exporter)
    assert tracer is not None
    meters = Meters(tracer)
    monkeypatch.setattr(meters._underway, "_clock", lambda: 1_000_000_000_000)
    meters.decided(decision("1"), 1_000_500)
    meters.published([message("1")])
    tracer.close()
    (span,) = exporter.get_finished_spans()
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time <= span.end_time
    assert meters.ages["tick"].sum == 0


def test_without_an_endpoint_nothing_of_opentelemetry_is_loaded() -> None:
    code = (
        "import sys, streams.worker, streams.metrics.serving; "
        "sys.exit(any(name.startswith('opentelemetry.exporter') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert make_tracer(settings()) is None
