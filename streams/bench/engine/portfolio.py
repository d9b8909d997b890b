"""Portfolio accounts: what a tick costs where books of options are held (PM-1)."""

from __future__ import annotations

from statistics import fmean, median
from time import perf_counter

from streams.bench.engine.adapter import warm
from streams.bench.engine.option_books import OptionBooks
from streams.bench.part import Teller
from streams.bench.result import Figure, Sizes, figure

__all__ = ["measure"]

_ONE_IN = 50
"""Of all accounts."""
_INDEX_TICKS = 10
"""Of each run; every one is followed by a tick of every option's mark."""
_RESCREENS = 3
_WARM = 1


def measure(sizes: Sizes, teller: Teller) -> list[Figure]:
    """Return what ticks of a calm market cost, and what it costs to screen everybody anew."""
    count = max(1, sizes.accounts // _ONE_IN)
    teller.tell(0.0, f"making {count:,} books of options")
    warm()
    books = OptionBooks(count, sizes.seed)
    index, marks, named = list[list[float]](), list[list[float]](), 0
    for run in range(_WARM + sizes.runs):
        teller.tell(0.4 + 0.4 * run / (_WARM + sizes.runs), "a calm market of options")
        of_index, of_marks = list[float](), list[float]()
        for _ in range(_INDEX_TICKS):
            named += _tick(books, books.move_index(), of_index)
            for key in books.move_marks():
                named += _tick(books, key, of_marks)
        index.append(of_index)
        marks.append(of_marks)
    index, marks = index[_WARM:], marks[_WARM:]
    teller.tell(0.8, "everybody screened anew")
    whole, sure = _screen_all(books, max(_RESCREENS, sizes.runs))
    teller.tell(0.9, "everybody assessed exactly")
    differ = sum(books.differs(slot) for slot in range(count))
    ticks = sum(map(len, index)) + sum(map(len, marks))
    note = f"{count:,} accounts; {ticks:,} ticks"
    return [
        figure("index", "a tick of the index, mean", "µs", list(map(fmean, index)), note),
        figure("index.p50", "the same, median", "µs", list(map(median, index))),
        figure("mark", "a tick of an option's mark, mean", "µs", list(map(fmean, marks))),
        figure("mark.p50", "the same, median", "µs", list(map(median, marks))),
        figure("named", "accounts that a tick names for decimals", "", [named / ticks]),
        figure("screen", "an account screened at the present prices", "µs", whole),
        figure("unsure", "accounts that floats cannot place", "", [count - sure]),
        figure("differences", "accounts that decimals place elsewhere", "", [differ]),
    ]


def _tick(books: OptionBooks, key: str, times: list[float]) -> int:
    """Let the watch take a tick, and look at whom it names; return how many. Times are in µs."""
    began = perf_counter()
    found = books.watch.tick(key)
    times.append((perf_counter() - began) * 1e6)
    for slot in found:
        books.look(slot)
    return len(found)


def _screen_all(books: OptionBooks, times: int) -> tuple[list[float], int]:
    """Screen everybody after a tick of the index; return µs by account, and of how many floats are sure."""
    found, sure = list[float](), 0
    for _ in range(times):
        books.watch.tick(books.move_index())
        began = perf_counter()
        sure = books.watch.screen_all()
        found.append((perf_counter() - began) * 1e6 / len(books.accounts))
    return found, sure
