"""Figures counted from topics while the demo runs."""

from typing import Any

import msgspec

from streams.demo.figures import Ages, Beat, Figures
from streams.demo.words import Seen


def _seen(**fields: Any) -> Seen:
    base = {
        "account_id": "a",
        "episode_id": "a#1",
        "sequence": 1,
        "decided_at": 1_000,
        "cause": {"kind": "tick", "symbol": "BTC-USD"},
        "inputs": {"ticks": {"BTC-USD/index": 5, "ETH-USD/index": 1}},
    }
    return msgspec.convert({**base, **fields}, Seen)


def _beat(worker: str, ready: tuple[int, ...], **fields: Any) -> Beat:
    spans = [{"partition": number, "ready": number in ready} for number in range(4)]
    base = {"worker": worker, "state": "ready", "partitions": (0, 1, 2, 3), "ts": 1}
    return msgspec.convert({**base, "accounts": {}, **fields, "spans": spans}, Beat)


def test_the_age_of_a_command_is_counted_from_the_tick_that_caused_it() -> None:
    figures = Figures()
    figures.ticks([(offset, 1_000 + 10 * (offset // 2)) for offset in range(8)])
    figures.command(_seen(kind="warning", state="entered", level="3"), 1_043)
    assert figures.look().ages == (23, 23)  # tick 5 was appended at 1,020


def test_a_command_may_be_read_before_its_tick() -> None:
    ages = Ages()
    ages.tick(4, 1_000)
    ages.command(5, 1_090)
    ages.settle()
    assert ages.quantiles() is None
    ages.tick(5, 1_050)
    ages.settle()
    assert ages.quantiles() == (40, 40)


def test_the_age_shows_the_middle_and_the_late_ones() -> None:
    ages = Ages()
    ages.tick(0, 0)
    for late in range(1, 101):
        ages.command(0, late)
    ages.settle()
    assert ages.quantiles() == (51, 100)


def test_episodes_bankruptcies_and_attempts_are_counted_once() -> None:
    figures = Figures()
    for number in (1, 2):
        figures.command(_seen(kind="episode", state="opened", episode_id=f"a#{number}"), 1)
    figures.command(_seen(kind="episode", state="closed", episode_id="a#1"), 1)
    figures.command(_seen(kind="episode", state="bankrupt", shortfall="10"), 1)
    figures.command(_seen(kind="episode", state="bankrupt", shortfall="12.5"), 1)
    figures.command(_seen(kind="order_cancel", order_ids=["o"], reason="ES-4"), 1)
    figures.command(_seen(kind="order_cancel", order_ids=["o"], reason="ES-4", attempt=2), 1)
    shown = figures.look()
    assert (shown.open_episodes, shown.closed_episodes) == (1, 1)
    assert (shown.bankrupt, shown.shortfall) == (1, 12.5)
    assert (shown.commands["order_cancel"], shown.resends) == (1, 1)


def test_es_7_an_account_and_its_isolated_positions_go_bankrupt_apart() -> None:
    figures = Figures()
    for position, shortfall in ((None, "10"), ("A/isolated/net", "4"), ("A/isolated/net", "5")):
        notice = _seen(kind="episode", state="bankrupt", shortfall=shortfall, position=position)
        figures.command(notice, 1)
    assert (figures.look().bankrupt, figures.look().shortfall) == (2, 15.0)


def test_warnings_stand_apart_from_what_touches_accounts() -> None:
    figures = Figures()
    figures.command(_seen(kind="warning", state="entered", level="3"), 1)
    figures.command(_seen(kind="order_cancel", order_ids=["o"], reason="ES-4"), 1)
    shown = figures.look()
    assert [line.tone for line in shown.warnings] == ["warning"]
    assert [line.tone for line in shown.alerts] == ["cancel"]


def test_workers_cover_together_what_each_covers() -> None:
    figures = Figures()
    figures.beat(_beat("one", (0, 1), accounts={"normal": 5, "unpriced": 1}, lag=3))
    figures.beat(_beat("two", (3,), accounts={"normal": 7}))
    assert figures.ready_partitions() == {0, 1, 3}
    assert figures.known_accounts() == 13
    assert figures.lag() == 3
    assert figures.look().bands == {"normal": 12, "unpriced": 1}


def test_the_last_tick_is_covered_only_by_a_later_heartbeat() -> None:
    figures = Figures()
    figures.ticks([(7, 1_000)])
    beat = _beat("one", (0, 1))
    for span, tick in zip(beat.spans, (7, 6, 7, 7), strict=True):
        span.tick = tick
    figures.beat(beat)
    assert figures.covered_partitions() == {0}
    figures.ticks([(8, 1_001)])
    assert figures.covered_partitions() == frozenset()


def test_a_worker_that_stops_covers_nothing() -> None:
    figures = Figures()
    figures.beat(_beat("one", (0, 1, 2, 3), accounts={"normal": 5}))
    figures.beat(_beat("one", (0, 1, 2, 3), accounts={"normal": 5}, state="stopping"))
    assert figures.ready_partitions() == frozenset()
    assert figures.known_accounts() == 0
    assert [worker.state for worker in figures.look().workers] == ["stopping"]
