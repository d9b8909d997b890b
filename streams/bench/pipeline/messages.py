"""Ticks and account events as bytes, made as fast as a producer takes them."""

from __future__ import annotations

import time
from itertools import cycle

from streams.bench.accounts import account_id
from streams.bench.market import Tape, opening
from streams.bench.pipeline.probes import OPENING, PROBE, probe_price

__all__ = ["EventMessages", "KeyValue", "TickMessages", "wall_ms"]

KeyValue = tuple[bytes, bytes]
_POOL = 20_000


def wall_ms() -> int:
    """Return this machine's clock in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class TickMessages:
    """Calm ticks without end, and the ticks that bring probes below their level."""

    def __init__(self, seed: int) -> None:
        self._seq = 0
        self._probes = 0
        walked = [
            (
                tick.symbol.encode(),
                f'{{"symbol":"{tick.symbol}","kind":"{tick.kind}","price":"{tick.price}","ts":',
            )
            for tick, _ in Tape(seed).calm(_POOL)
        ]
        # There and back again, so that no price ever jumps.
        self._pool = cycle([*walked, *reversed(walked)])

    def opening(self) -> list[KeyValue]:
        """Return one tick of each symbol, and of the probes' instrument."""
        first = [*opening(), (PROBE, "mark", str(OPENING))]
        return [
            (
                symbol.encode(),
                f'{{"symbol":"{symbol}","kind":"{kind}","price":"{price}","ts":{wall_ms()},"seq":{self._next()}}}'.encode(),
            )
            for symbol, kind, price in first
        ]

    def calm(self, count: int) -> list[KeyValue]:
        """Return the next ticks, all at this moment."""
        ts, found = wall_ms(), []
        for key, head in (next(self._pool) for _ in range(count)):
            self._seq += 1
            found.append((key, f'{head}{ts},"seq":{self._seq}}}'.encode()))
        return found

    def probe(self) -> tuple[int, KeyValue]:
        """Return the next probe's number, and the tick that brings it below its level."""
        number = self._probes
        self._probes += 1
        price, seq = probe_price(number), self._next()
        value = (
            f'{{"symbol":"{PROBE}","kind":"mark","price":"{price}","ts":{wall_ms()},"seq":{seq}}}'
        )
        return number, (PROBE.encode(), value.encode())

    def _next(self) -> int:
        self._seq += 1
        return self._seq


class EventMessages:
    """Deposits into one account after another, each account's in order."""

    def __init__(self, accounts: int) -> None:
        self._accounts = accounts
        self._made = 0

    def take(self, count: int) -> list[KeyValue]:
        """Return the next deposits."""
        found = []
        ts = wall_ms()
        for number in range(self._made, self._made + count):
            name = account_id(number % self._accounts)
            found.append(
                (
                    name.encode(),
                    f'{{"account_id":"{name}","account_seq":{2 + number // self._accounts},'
                    f'"transfer_id":"t-{number}","kind":"deposit","currency":"USDT",'
                    f'"amount":"0.01","ts":{ts}}}'.encode(),
                )
            )
        self._made += count
        return found
