"""Accounts whose warnings are counted on: each fall of one price brings one of them below a level.

Their instrument is traded by nobody else. The level of probe k lies k small steps below its opening
price, so a tick just below it makes the worker command a warning, and only that.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

from monitor.account import Account, Balance, Position
from monitor.account.state import position_key
from monitor.engine.resting import Stored
from monitor.escalation import Episode
from monitor.exact import plain
from streams.bench import market

__all__ = ["MOST_PROBES", "OPENING", "PROBE", "probe_id", "probe_price", "probes", "reference_file"]

PROBE = "PROBE-USDT-SWAP"
MOST_PROBES = 3_000
OPENING = Decimal(1000)
_STEP = Decimal("0.2")
"""Wide enough that the small moves of USDT leave no probe's box but the nearest ones'."""
_PAST = _STEP / 4
"""How far below its level a probe's price is: one exactly at it only decimals could tell from one above,
at every later tick of its coins."""
_CONTRACTS = Decimal(100)
_MAINTENANCE = Decimal("0.3")
"""Below a third, so that the ratio falls with the price; far above what others ask, so that the first
probe is still above its next level when the last one has crossed."""

_encode = msgspec.json.Encoder().encode


@cache
def reference_file() -> dict[str, Any]:
    """Return the reference set of the benchmarks with the probes' instrument."""
    raw = market.reference_file()
    instrument = {
        "kind": "swap",
        "family": "PROBE-USDT",
        "underlying": "XMR",
        "quote": "USDT",
        "settle": "USDT",
        "contract_value": "1",
        "lot": "1",
        "tick": "0.01",
        "funding_hours": 8,
        "position_tiers": [
            {
                "up_to": "1000000",
                "initial": "0.3",
                "maintenance": plain(_MAINTENANCE),
                "max_leverage": "3",
            }
        ],
    }
    return {**raw, "instruments": {**raw["instruments"], PROBE: instrument}}


def probe_id(number: int) -> str:
    """Return the account id of a probe."""
    return f"probe-{number:05d}"


def probe_price(number: int) -> str:
    """Return the mark at which a probe stands just below its warning level."""
    return plain(OPENING - _STEP * (number + 1))


def probes(count: int = MOST_PROBES) -> Iterator[tuple[str, bytes]]:
    """Yield (account id, state as the journal holds it) of every probe."""
    reference = market.reference()
    level = reference.policy.level("warning", "multi_currency")
    asked = _MAINTENANCE + reference.fees_of("default").derivative_taker
    for number in range(count):
        price = Decimal(probe_price(number)) + _PAST
        cash = _CONTRACTS * (OPENING - price) + level * asked * _CONTRACTS * price
        account = Account(
            probe_id(number),
            known=True,
            mode="multi_currency",
            balances={"USDT": Balance(cash)},
            positions={position_key(PROBE, "net"): Position(PROBE, "net", _CONTRACTS, OPENING)},
            account_seq=1,
        )
        yield account.account_id, _encode(Stored(account, Episode()))
