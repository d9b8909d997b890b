"""The benchmarks' accounts, prices and messages are what they are said to be."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise

import pytest

from monitor.account import decode
from monitor.engine.resting import Stored, decode_stored
from monitor.margin import assess
from monitor.prices import PriceBook
from monitor.reference import load_reference
from monitor.schema import Transfer
from streams.bench.accounts import five_currencies, states
from streams.bench.market import Tape, opening, opening_prices, reference
from streams.bench.pipeline import probes as probing
from streams.bench.pipeline.messages import EventMessages, TickMessages
from streams.tick_messages import TickMessage, decode_tick

COUNT = 400


def read_books(states: Iterable[tuple[str, bytes]]) -> list[Stored]:
    """Return the states decoded."""
    return [decode_stored(state) for _, state in states]


def test_there_are_forty_prices() -> None:
    assert len({(symbol, kind) for symbol, kind, _ in opening()}) == 40
    assert len(opening_prices().prices) == 40


def test_equal_seeds_give_equal_accounts_and_others_do_not() -> None:
    assert list(states(COUNT, 7)) == list(states(COUNT, 7))
    assert list(states(COUNT, 7)) != list(states(COUNT, 8))


def test_accounts_are_of_every_kind_priced_and_none_begins_in_liquidation() -> None:
    books = [stored.account for stored in read_books(states(COUNT, 3))]
    kinds = {
        "spot with a debt": sum(any(b.borrowed for b in a.balances.values()) for a in books),
        "isolated": sum(bool(a.isolated) for a in books),
        "inverse": sum(any("USD-SWAP" in key for key in a.positions) for a in books),
        "multi-currency": sum(a.mode == "multi_currency" and len(a.balances) > 1 for a in books),
    }
    assert all(count > COUNT * 0.05 for count in kinds.values()), kinds
    figures = [assess(book, reference(), opening_prices()) for book in books]
    assert not any(one.unpriced for one in figures)
    ratios = [one.ratio for one in figures if one.ratio is not None]
    assert len(ratios) == COUNT
    assert min(ratios) > 1
    assert 0 < sum(ratio <= 3 for ratio in ratios) < COUNT * 0.15  # some stand in an exit band


def test_variants_of_one_drawn_account_have_ratios_of_their_own() -> None:
    drawn = 4_000
    made = [state for _, state in states(drawn + 1, 1)]
    first, again = read_books([("", made[0]), ("", made[drawn])])
    assert first.account.positions == again.account.positions
    ratios = [assess(s.account, reference(), opening_prices()).ratio for s in (first, again)]
    assert ratios[0] != ratios[1]


def test_the_account_that_is_assessed_has_five_currencies_and_four_positions() -> None:
    account = five_currencies()
    assert (len(account.balances), len(account.positions)) == (5, 4)
    assert not assess(account, reference(), opening_prices()).unpriced


def test_a_fall_brings_every_coin_down_by_its_share_and_leaves_stable_ones() -> None:
    tape = Tape(1)
    before = dict(tape.prices)
    ticks = list(tape.fall(16_000, 0.2))
    assert len(ticks) == 16_000
    assert tape.prices["USDT"] == pytest.approx(1, abs=1e-3)
    for coin in ("BTC", "ETH", "XMR"):
        assert tape.prices[coin] / before[coin] == pytest.approx(0.8, abs=0.04)


def test_a_tape_goes_on_in_time_and_offset() -> None:
    tape = Tape(1)
    ticks = [*tape.opening(), *tape.calm(50), *tape.gap(0.15), *tape.calm(50)]
    assert [offset for _, offset in ticks] == list(range(len(ticks)))
    assert all((a.ts, a.seq) < (b.ts, b.seq) for (a, _), (b, _) in pairwise(ticks))


def test_tick_messages_are_ticks_and_never_jump() -> None:
    messages = TickMessages(1)
    last = {tick.symbol: tick for tick in map(decode_tick, (v for _, v in messages.opening()))}
    assert len(last) == 41
    for key, value in messages.calm(50_000):  # past the turn of the pool, back and on again
        tick = decode_tick(value)
        assert key == tick.symbol.encode()
        before = last[tick.symbol]
        assert tick.seq > before.seq
        assert abs(tick.price / before.price - 1) < Decimal("0.02")
        last[tick.symbol] = tick


def test_event_messages_are_deposits_numbered_by_account() -> None:
    messages = EventMessages(3)
    found = [decode("transfers", v.decode()) for _, v in [*messages.take(4), *messages.take(4)]]
    assert all(isinstance(event, Transfer) and event.kind == "deposit" for event in found)
    by_account: dict[str, list[int | None]] = {}
    for event in found:
        by_account.setdefault(event.account_id, []).append(event.account_seq)
    assert all(numbers == list(range(2, 2 + len(numbers))) for numbers in by_account.values())
    assert sorted(map(len, by_account.values())) == [2, 3, 3]


@pytest.mark.parametrize("number", [0, 1, 7, probing.MOST_PROBES - 1])
def test_each_probe_price_brings_one_more_probe_below_its_level(number: int) -> None:
    policy_set = load_reference(probing.reference_file())
    last = TickMessage(probing.PROBE, "mark", str(probing.probe_price(number)), 1, 1)
    prices = PriceBook()
    for tick, offset in Tape(0).opening():
        prices.take(tick, offset, policy_set.policy, tick.ts)
    prices.take(last, 40, policy_set.policy, 1)
    near = range(max(0, number - 1), min(probing.MOST_PROBES, number + 2))
    books = {n: s for n, s in enumerate(read_books(probing.probes(near.stop))) if n in near}
    for place, stored in books.items():
        ratio = assess(stored.account, policy_set, prices).ratio
        assert ratio is not None
        assert abs(ratio - 3) > Decimal("0.00001")
        assert (ratio < 3) == (place <= number)
    first = read_books(probing.probes(1))[0].account
    ratio = assess(first, policy_set, prices).ratio
    assert ratio is not None
    assert ratio > 2  # above its next level still, so it says nothing more
