"""A worker's sign of life: what it covers, how its accounts stand, what it misses."""

from __future__ import annotations

import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from monitor.engine import Engine
from monitor.schema import Heartbeat, NearestAccount
from streams.journal import CommandOut
from streams.topics import Topics
from streams.worker.partition import OwnedPartition

__all__ = ["heartbeat", "heartbeat_out"]

NAMED_AT_MOST = 20
"""Accounts and symbols named in one heartbeat; the counts are whole."""

State = Literal["starting", "ready", "unready", "stopping"]


def heartbeat(
    worker: str,
    state: State,
    engine: Engine | None,
    partitions: Iterable[OwnedPartition],
    *,
    lag: int,
    last_tick: int | None,
) -> Heartbeat:
    """Return what the worker knows of itself now."""
    owned = sorted(partitions, key=lambda p: p.number)
    ts = int(time.time() * 1000)
    if engine is None:
        return Heartbeat(
            worker=worker,
            state=state,
            partitions=tuple(p.number for p in owned),
            spans=tuple(p.published_span() for p in owned),
            accounts={},
            lag=lag,
            last_tick=last_tick,
            now=ts,
            ts=ts,
        )
    policy = engine.reference.policy
    unpriced = sorted(engine.watch.unpriced)
    stale = engine.prices.stale(engine.prices.prices, policy, engine.now)
    return Heartbeat(
        worker=worker,
        state=state,
        partitions=tuple(p.number for p in owned),
        spans=tuple(p.published_span() for p in owned),
        accounts=engine.bands(),
        unpriced=len(unpriced),
        unpriced_accounts=tuple(unpriced[:NAMED_AT_MOST]),
        out_of_sync=engine.watch.census.lost,
        stale_symbols=tuple(stale[:NAMED_AT_MOST]),
        held_ticks=engine.prices.held,
        dropped_ticks=engine.prices.dropped,
        dead_letters=sum(p.dead_letters for p in owned),
        missed_crossings=engine.missed_crossings,
        nearest=_nearest(engine),
        lag=lag,
        last_tick=last_tick,
        now=engine.now,
        ts=ts,
    )


def _nearest(engine: Engine) -> NearestAccount | None:
    for name in engine.watch.nearest(1):
        entry = engine.entries[name]
        band = engine.band(entry)
        if band is not None and entry.watched.ratio != float("inf"):
            return NearestAccount(
                account_id=name, ratio=Decimal(f"{entry.watched.ratio:.6f}"), band=band
            )
    return None


def heartbeat_out(message: Heartbeat, topics: Topics) -> CommandOut:
    """Return a heartbeat as it is published, keyed by worker."""
    return CommandOut(
        topics.heartbeats,
        message.worker.encode(),
        message.model_dump_json().encode(),
        (("kind", b"heartbeat"),),
    )
