"""The child process that is the exchange: its accounts while Kafka starts, then their trading."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import chain, islice

from streams.demo.plan import ExchangeStatus, Folder, Market, Plan
from streams.simulator import (
    Catalogue,
    Shares,
    SimulateSettings,
    generate,
    make_producer,
    publish_accounts,
    simulate,
)

__all__ = ["run_exchange", "shares_of"]

_HOLDERS = 2
"""Accounts in multi-currency mode that hold options, at most: each is looked at exactly at every tick
of its prices, which costs a core 7 % at 1,350 ticks a second."""
_BOOKS = 4
"""Portfolio accounts with an option book, at most: the same costs 12 % each."""
_MOST = 0.02
_IN_MULTI_CURRENCY = 2 / 3

_A_TURN = 200
"""Accounts made and published at a time: the workers begin to take them in meanwhile."""


async def run_exchange(plan: Plan, folder: Folder, stop: asyncio.Event) -> int:
    """Generate and publish the accounts, then be the exchange until told to stop."""
    market = await folder.wait_for("market", Market)
    settings = SimulateSettings(
        brokers=plan.brokers,
        accounts=plan.accounts,
        seed=plan.seed,
        clock="event",
        time_scale=market.speed,
        start_ts=market.first_ms,
        reference=market.reference,
        prices={opening.symbol: Decimal(opening.price) for opening in market.opening},
        shares=shares_of(plan.accounts),
    )
    await _open_accounts(settings, folder)
    ready = asyncio.Event()
    # It finds its books in the topics: the accounts are there already.
    trading = asyncio.create_task(simulate(settings, stop, ready=ready))
    signs = asyncio.create_task(ready.wait())
    await asyncio.wait({trading, signs}, return_when=asyncio.FIRST_COMPLETED)
    if ready.is_set():
        folder.write("exchange", ExchangeStatus(plan.accounts, ready=True))
    signs.cancel()
    await trading
    return 0


def shares_of(accounts: int) -> Shares:
    """Return how many of a demo's accounts hold options: a few, whatever its size."""
    return Shares(
        options=min(_MOST, _HOLDERS / (accounts * _IN_MULTI_CURRENCY)),
        portfolio=min(_MOST, _BOOKS / accounts),
    )


async def _open_accounts(settings: SimulateSettings, folder: Folder) -> None:
    """Make the accounts and publish each as it is made, once the topics are there."""
    made = generate(
        settings.accounts,
        settings.seed,
        settings.prices or {},
        Catalogue.of(settings.reference or {}),
        ts=settings.start_ts or 0,
        shares=settings.shares,
    )
    early = []
    # What can be made before the broker is up is made by then.
    while not folder.is_open("topics") and (account := next(made, None)) is not None:
        early.append(account)
        if len(early) % _A_TURN == 0:
            folder.write("exchange", ExchangeStatus(len(early)))
            await asyncio.sleep(0)
    await folder.passed("topics")
    producer = make_producer(settings)
    await producer.start()
    published = 0
    try:
        everyone = chain(early, made)
        while part := list(islice(everyone, _A_TURN)):
            published += await publish_accounts(producer, part)
            folder.write("exchange", ExchangeStatus(max(published, len(early))))
    finally:
        await producer.stop()
