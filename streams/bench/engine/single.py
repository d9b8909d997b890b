"""One account: an exact assessment, and an event of it."""

from __future__ import annotations

from itertools import count, islice
from time import perf_counter

import msgspec

from monitor.account import EventSource, decode
from monitor.engine.resting import Stored, encode_stored
from monitor.escalation import Episode
from monitor.schema import AccountEvent
from streams.bench.accounts import five_currencies, states
from streams.bench.engine.adapter import PARTITION, Probe, warm
from streams.bench.market import START_MS, Tape, reference
from streams.bench.part import Teller
from streams.bench.result import Figure, Sizes, figure

__all__ = ["measure"]

_ACCOUNTS = 1_000
_REPEATS = 2_000
_encode = msgspec.json.Encoder().encode


def measure(sizes: Sizes, teller: Teller) -> list[Figure]:
    """Return what assessing one account exactly costs, and what one of its events does."""
    warm()
    engine = Probe(reference())
    engine.open_market(Tape(sizes.seed))
    five = encode_stored(Stored(five_currencies(), Episode()))
    made = states(min(_ACCOUNTS, sizes.accounts), sizes.seed)
    engine.load([*made, ("five", five)])
    repeats = max(100, min(_REPEATS, sizes.ticks))
    teller.tell(0.1, "exact assessment")
    assessments = []
    for _ in range(max(3, sizes.runs)):
        began = perf_counter()
        for _ in range(repeats):
            engine.figures("five")
        assessments.append((perf_counter() - began) / repeats * 1e6)
    teller.tell(0.5, "account events")
    decoding, taking, exact = _events(engine, max(3, sizes.runs), repeats)
    return [
        figure("assess", "exact assessment: 5 currencies, 4 positions", "µs", assessments),
        figure("event", "an account event, without decoding it", "µs", taking, exact),
        figure("event.decode", "decoding one (transfer)", "µs", decoding),
    ]


def _events(engine: Probe, runs: int, repeats: int) -> tuple[list[float], list[float], str]:
    """Deposit a little into one account after another."""
    names = [name for name in engine.entries if name != "five"]
    decoding, taking = [], []
    offsets = count()
    engine.reset()
    for _ in range(runs):
        texts = [_deposit(names, offset) for offset in islice(offsets, repeats)]
        began = perf_counter()
        events: list[AccountEvent] = [decode("transfers", text) for _, text in texts]
        decoding.append((perf_counter() - began) / repeats * 1e6)
        began = perf_counter()
        for (offset, text), event in zip(texts, events, strict=True):
            engine.event(
                event, EventSource("transfers", PARTITION, offset), text, START_MS + offset
            )
        taking.append((perf_counter() - began) / repeats * 1e6)
    share = engine.exact / (runs * repeats)
    return decoding, taking, f"{share:.1%} of them needed an exact decision"


def _deposit(names: list[str], offset: int) -> tuple[int, str]:
    """Return an offset and the deposit at it; each account's are numbered from 2 on."""
    message = {
        "account_id": names[offset % len(names)],
        "account_seq": 2 + offset // len(names),
        "transfer_id": f"t-{offset}",
        "kind": "deposit",
        "currency": "USDT",
        "amount": "0.01",
        "ts": START_MS + offset,
    }
    return offset, _encode(message).decode()
