"""H-10: counting what is borrowed, publishing it by partition, and adding it up again."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account
from monitor.engine import Engine
from monitor.escalation import Episode
from monitor.limits import TOTALS_MAX_AGE_MS, Totals, usable_totals
from monitor.reference import Reference, load_reference
from streams.follow import Record
from streams.journal import CommandOut, Epoch
from streams.totals import (
    Counting,
    Sums,
    TotalsReader,
    as_of_record,
    decode_figure,
    main_account_record,
)
from streams.totals.counting import MOVING_SECONDS, ROUND_SECONDS
from streams.worker.totalling import pause_between_turns
from tests.rules.reduction_world import account, d, order, price_book, raw_reference

JOURNAL = "journal-1"
NOW = 1_700_000_000_000


# -- sums -------------------------------------------------------------------------------------


def test_bl_2_sub_accounts_add_up_to_their_main_account_and_all_to_the_platform() -> None:
    sums = Sums()
    sums.put("a", "M", {"USDT": d("10"), "BTC": d("1")})
    sums.put("b", "M", {"USDT": d("5")})
    sums.put("c", "c", {"USDT": d("100")})
    assert sums.main_accounts == {"M": {"USDT": 15, "BTC": 1}, "c": {"USDT": 100}}
    assert sums.platform == {"USDT": 115, "BTC": 1}


def test_a_sum_without_sources_is_gone_whatever_rounding_left() -> None:
    sums = Sums()
    third = d("1") / d("3")
    sums.put("a", "M", {"USDT": d("1e30")})
    sums.put("b", "M", {"USDT": third})
    sums.put("a", "M", {})
    sums.put("b", "M", {})
    assert sums.main_accounts == {}
    assert sums.platform == {}


def test_an_account_that_moves_to_another_main_account_changes_both() -> None:
    sums = Sums()
    assert sums.put("a", "M", {"USDT": d("10")}) == ("M",)
    assert sums.put("a", "M", {"USDT": d("10.0")}) == ()
    assert sums.put("a", "N", {"USDT": d("10")}) == ("M", "N")
    assert sums.main_accounts == {"N": {"USDT": 10}}


CHANGES = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from("MN"),
        st.dictionaries(
            st.sampled_from(["USDT", "BTC"]),
            st.decimals("0.00000001", "1000000", places=8),
        ),
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(CHANGES)
def test_sums_kept_one_by_one_are_those_added_up_anew(
    changes: list[tuple[str, str, dict[str, Decimal]]],
) -> None:
    sums, last = Sums(), {}
    for source, main, amounts in changes:
        sums.put(source, main, amounts)
        last[source] = main, amounts
    expected: dict[str, dict[str, Decimal]] = {}
    platform: dict[str, Decimal] = {}
    for main, amounts in last.values():
        for name, amount in amounts.items():
            own = expected.setdefault(main, {})
            own[name] = own.get(name, Decimal(0)) + amount
            platform[name] = platform.get(name, Decimal(0)) + amount
    assert sums.main_accounts == expected
    assert sums.platform == platform


# -- counting ---------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def reference() -> Reference:
    return load_reference(raw_reference())


@pytest.fixture
def engine(reference: Reference) -> Engine:
    found = Engine(reference)
    found.prices = price_book(reference)
    found.now = NOW
    return found


def debtor(name: str, amount: str, main: str | None = None) -> Account:
    held = account({"BTC": "1", "USDT": f"-{amount}"})
    held.account_id, held.main_account_id = name, main
    return held


def adopt(engine: Engine, *accounts: Account, partition: int = 0) -> None:
    for one in accounts:
        engine.adopt(one, Episode(), partition)


def counted(engine: Engine, clock: Clock | None = None) -> Counting:
    counting = Counting(lambda: engine, clock if clock is not None else Clock())
    counting.begin(0)
    return counting


def test_h_10_a_part_is_unknown_until_every_account_was_counted(engine: Engine) -> None:
    adopt(engine, debtor("a", "10", "M"), debtor("b", "5", "M"))
    clock = Clock()
    counting = counted(engine, clock)
    part = counting.parts[0]
    assert part.freeze(NOW, Epoch(1, "x")) is None
    counting.mark(0, "a")  # a change does not make it less unknown
    assert part.ts(NOW) is None
    assert counting.turn(1.0) == 2
    frozen = part.freeze(NOW, Epoch(1, "x"))
    assert frozen is not None
    assert frozen.ts == NOW
    assert frozen.main_accounts == {"M": {"USDT": 15}}
    assert frozen.platform == {"USDT": 15}


def test_h_10_a_part_is_as_old_as_the_oldest_change_not_counted(engine: Engine) -> None:
    adopt(engine, debtor("a", "10"), debtor("b", "5"))
    counting = counted(engine)
    counting.turn(1.0)
    engine.now = NOW + 100
    counting.mark(0, "a")
    engine.now = NOW + 900
    counting.mark(0, "b")
    counting.mark(0, "a")  # the first change counts
    assert counting.parts[0].ts(NOW + 1000) == NOW + 100
    counting.turn(1.0)
    assert counting.parts[0].ts(NOW + 1000) == NOW + 1000


def test_h_8_a_turn_ends_when_its_time_is_over_and_the_next_goes_on(engine: Engine) -> None:
    adopt(engine, *(debtor(f"a{number}", "1") for number in range(5)))
    clock = Clock()
    counting = counted(engine, clock)

    def slow() -> Engine:
        clock.seconds += 0.001
        return engine

    counting._engine = slow
    assert 0 < counting.turn(0.002) < 5
    assert counting.parts[0].ts(NOW) is None
    while counting.parts[0].marked:
        counting.turn(0.002)
    assert counting.parts[0].sums.platform == {"USDT": 5}


def test_only_main_accounts_that_changed_are_published_and_all_under_a_new_epoch(
    engine: Engine,
) -> None:
    adopt(engine, debtor("a", "10", "M"), debtor("b", "5", "N"))
    counting = counted(engine)
    counting.turn(1.0)
    part = counting.parts[0]
    first, second = Epoch(1, "x"), Epoch(9, "y")

    def published(epoch: Epoch) -> dict[str, dict[str, Decimal]]:
        frozen = part.freeze(NOW, epoch)
        assert frozen is not None
        return {name: dict(figures) for name, figures in frozen.main_accounts.items()}

    assert published(first) == {"M": {"USDT": 10}, "N": {"USDT": 5}}
    assert published(first) == {}
    engine.entries["a"].account.balances["USDT"].cash = d("3")
    counting.mark(0, "a")
    counting.turn(1.0)
    assert published(first) == {"M": {}}  # takes the last one back
    assert published(second) == {"N": {"USDT": 5}}
    part.publish_again(["M"])
    assert published(second) == {"M": {}}


@pytest.mark.parametrize(("entry", "owes"), [("70000", True), ("50000", False)])
def test_what_moves_with_prices_alone_is_counted_again_in_its_time(
    engine: Engine, entry: str, owes: bool
) -> None:
    moving = account({"BTC": "1"}, [("BTC-USDT-SWAP", "10", entry)])
    moving.account_id = "a"
    adopt(engine, moving, debtor("b", "5"))
    clock = Clock()
    counting = counted(engine, clock)
    counting.turn(1.0)
    assert ("a" in counting.parts[0].sums) is owes
    seconds = MOVING_SECONDS if owes else ROUND_SECONDS
    assert counting.turn(1.0) == 0
    clock.seconds += seconds - 0.1
    assert counting.turn(1.0) == 0
    clock.seconds += 0.2
    assert counting.turn(1.0) == 1  # the debtor without a position stands still
    counting.count_again()
    assert counting.turn(1.0) == 2


def test_oc_3_only_who_borrows_past_a_total_that_changed_is_looked_at() -> None:
    raw = raw_reference()
    raw["currencies"]["USDT"] |= {"vip_caps": {"5": "12"}, "platform_pool": "1000"}
    found = load_reference(raw)
    engine = Engine(found)
    engine.prices, engine.now = price_book(found), NOW
    bids = {name: order(name, "BTC-USDT", "buy", "0.01", "60000") for name in "abc"}
    accounts = [debtor("a", "10", "M"), debtor("b", "10", "N"), debtor("c", "10", "M")]
    for one in accounts:
        one.vip_level = "5"
        one.auto_borrow = True
        one.orders = {"o": bids[one.account_id]}
    accounts[2].orders = {}
    adopt(engine, *accounts)
    counting = counted(engine)
    counting.turn(1.0)
    engine.totals = Totals(NOW, {"M": {"USDT": d("13")}, "N": {"USDT": d("12")}})
    assert list(counting.of_main_accounts(["M", "N"])) == ["a"]
    assert list(counting.of_main_accounts(["N"])) == []
    assert list(counting.of_spent_pools(engine.totals)) == []
    spent = Totals(NOW, {}, {"USDT": d("1000.01")})
    assert sorted(counting.of_spent_pools(spent)) == ["a", "b", "c"]


def test_figures_made_for_another_purpose_count_and_are_not_made_again(engine: Engine) -> None:
    adopt(engine, debtor("a", "10"))
    counting = counted(engine)
    counting.note(0, engine.entries["a"].account, engine.figures("a"))
    assert counting.turn(1.0) == 0
    assert counting.parts[0].sums.platform == {"USDT": 10}
    counting.end(0)
    counting.note(0, engine.entries["a"].account, engine.figures("a"))
    assert counting.parts == {}


def test_px_3_an_unpriced_account_counts_with_what_its_book_owes(engine: Engine) -> None:
    adopt(engine, debtor("a", "10"))
    del engine.prices.prices["BTC-USD/index"]
    assert engine.figures("a").unpriced
    counting = counted(engine)
    counting.turn(1.0)
    frozen = counting.parts[0].freeze(NOW, Epoch(1, "x"))
    assert frozen is not None
    assert frozen.platform == {"USDT": 10}


# -- reading ----------------------------------------------------------------------------------


class Topic:
    """`partials` in memory."""

    def __init__(self, partitions: int = 2) -> None:
        self.reader = TotalsReader({}, "partials", partitions=partitions, journal=JOURNAL)
        self.reader.caught_up = True
        self.records: list[CommandOut] = []

    def main(self, partition: int, epoch: int, main: str, amount: str | None) -> Topic:
        borrowed = {} if amount is None else {"USDT": d(amount)}
        whose = Epoch(epoch, f"{epoch}")
        return self._put(
            main_account_record("partials", partition, JOURNAL, whose, NOW, main, borrowed)
        )

    def as_of(
        self, partition: int, epoch: int, ts: int, amount: str = "0", journal: str = JOURNAL
    ) -> Topic:
        whose = Epoch(epoch, f"{epoch}")
        return self._put(
            as_of_record("partials", partition, journal, whose, ts, {"USDT": d(amount)})
        )

    def _put(self, record: CommandOut) -> Topic:
        self.records.append(record)
        self.reader.take([_record(record.key, record.value)])
        return self

    def compacted(self) -> list[Record]:
        """What a reader that starts later finds: the last record of each key."""
        last = {record.key: record for record in self.records}
        kept = [record for record in self.records if last[record.key] is record]
        return [_record(record.key, record.value) for record in kept]

    def used(self, main: str = "M") -> Decimal | None:
        found = self.reader.totals()
        return None if found is None else found.of_main_account(main, "USDT")


def _record(key: bytes | None, value: bytes | None) -> Record:
    return SimpleNamespace(
        topic="partials", partition=0, offset=0, timestamp=0, key=key, value=value
    )


def test_h_10_totals_are_unknown_while_any_part_is_and_as_old_as_the_oldest() -> None:
    topic = Topic().main(0, 1, "M", "10").as_of(0, 1, NOW, "12")
    assert topic.reader.totals() is None
    assert topic.reader.missing() == [1]
    topic.main(1, 2, "M", "5").as_of(1, 2, NOW - 700, "5")
    found = topic.reader.totals()
    assert found is not None
    assert found.ts == NOW - 700
    assert found.of_main_account("M", "USDT") == 15
    assert found.of_main_account("nobody", "USDT") == 0
    assert found.of_platform("USDT") == 17
    assert found.of_platform("BTC") == 0
    topic.reader.caught_up = False
    assert topic.reader.totals() is None


def test_h_10_totals_past_their_age_are_as_good_as_unknown(reference: Reference) -> None:
    found = Topic(1).as_of(0, 1, NOW).reader.totals()
    limit = TOTALS_MAX_AGE_MS
    assert usable_totals(found, NOW + limit, reference.policy) is found
    assert usable_totals(found, NOW + limit + 1, reference.policy) is None


def test_h_10_figures_of_a_new_owner_count_when_all_of_them_are_there() -> None:
    topic = Topic(1).main(0, 1, "M", "10").main(0, 1, "N", "3").as_of(0, 1, NOW, "13")
    topic.main(0, 5, "M", "11")
    assert topic.used("M") == 10
    assert topic.used("N") == 3
    topic.as_of(0, 5, NOW + 1, "11")
    assert topic.reader.changed() == ["M", "N"]
    assert topic.reader.changed() == []
    assert topic.used("M") == 11
    assert topic.used("N") == 0  # what the new owner does not name is nothing


def test_h_10_an_older_epoch_loses_and_its_late_figure_is_published_again() -> None:
    topic = Topic(1).main(0, 5, "M", "11").as_of(0, 5, NOW, "11")
    topic.main(0, 1, "M", "99").as_of(0, 1, NOW + 9000, "99")
    assert topic.used() == 11
    found = topic.reader.totals()
    assert found is not None
    assert found.ts == NOW
    assert topic.reader.overwritten() == {0: ["M"]}
    assert topic.reader.overwritten() == {}


def test_h_10_figures_of_another_journal_or_beyond_the_partitions_do_not_count() -> None:
    topic = Topic(1).as_of(0, 99, NOW, "7", journal="made-anew")
    assert topic.reader.totals() is None
    topic.as_of(0, 1, NOW, "1").as_of(1, 1, NOW - 10**6, "1")
    found = topic.reader.totals()
    assert found is not None
    assert found.ts == NOW
    assert found.of_platform("USDT") == 1


def test_h_4_what_is_no_figure_is_passed_over_and_counted() -> None:
    topic = Topic(1)
    topic.reader.take([_record(b"0/platform", b"{nonsense"), _record(b"0/platform", None)])
    assert topic.reader.refused == 1
    assert topic.as_of(0, 1, NOW).reader.totals() is not None


def test_figures_travel_in_plain_notation_to_the_last_digit() -> None:
    amount = d("0.000000012345678901234567890123456789")
    record = main_account_record("partials", 3, JOURNAL, Epoch(7, "x"), NOW, "M", {"BTC": amount})
    assert b"E-" not in record.value
    figure = decode_figure(record.value)
    assert figure.borrowed == {"BTC": amount}
    assert (figure.partition, figure.epoch, figure.ts) == (3, Epoch(7, "x"), NOW)
    assert record.key == b"3/main_account/M"


OWNERS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.booleans(),
        st.dictionaries(st.sampled_from("MN"), st.integers(1, 9), max_size=2),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(OWNERS)
def test_h_10_a_reader_that_starts_late_finds_what_one_that_was_there_has(
    history: Iterable[tuple[int, bool, dict[str, int]]],
) -> None:
    topic = Topic()
    epochs, shown = {0: 1, 1: 2}, {0: dict[str, int](), 1: dict[str, int]()}
    for partition, is_new, borrowed in history:
        if is_new:
            epochs[partition] += 10
            shown[partition] = {}
        for main in "MN":
            amount = borrowed.get(main)
            if amount != shown[partition].get(main):
                topic.main(
                    partition, epochs[partition], main, None if amount is None else str(amount)
                )
        shown[partition] = borrowed
        topic.as_of(partition, epochs[partition], NOW, str(sum(borrowed.values())))
    for partition, epoch in epochs.items():
        topic.as_of(partition, epoch, NOW, str(sum(shown[partition].values())))
    late = TotalsReader({}, "partials", partitions=2, journal=JOURNAL)
    late.take(topic.compacted())
    late.caught_up = True
    then, now = late.totals(), topic.reader.totals()
    assert then is not None
    assert now is not None
    for main in "MN":
        expected = sum(figures.get(main, 0) for figures in shown.values())
        assert then.of_main_account(main, "USDT") == now.of_main_account(main, "USDT") == expected
    assert then.of_platform("USDT") == now.of_platform("USDT")


def test_h_10_counting_leaves_the_loop_to_events_in_line_but_not_for_long() -> None:
    quiet = pause_between_turns(0.0, busy=True)
    usual = pause_between_turns(1.0, busy=False)
    assert usual < pause_between_turns(1.0, busy=True) < quiet
    assert pause_between_turns(2.0, busy=True) == usual
