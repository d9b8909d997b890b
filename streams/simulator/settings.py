"""What a simulation can be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

__all__ = ["Faults", "Progress", "Shares", "SimulateSettings"]


@dataclass(frozen=True, slots=True)
class Faults:
    """Misbehaviour for tests: shares from 0 to 1 of the commands, drawn by id and attempt."""

    drop: float = 0.0
    """Never answered."""
    late: float = 0.0
    """Carried out only after `late_ms`."""
    late_ms: int = 6_000
    """Past the default deadline of 5 s; multiplied by the time scale."""
    duplicate: float = 0.0
    """Every answer is sent twice, byte for byte."""
    partial: float = 0.0
    """A reduction's orders fill in part and end cancelled; a cancel leaves half of its orders."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How many of the accounts that are generated hold options, where the market has marks of them."""

    options: float = 0.06
    """Of the accounts in multi-currency mode: two thirds of all."""
    portfolio: float = 0.02
    """Accounts in portfolio mode, each with an option book; of all."""

    def __post_init__(self) -> None:
        for name, share in (("options", self.options), ("portfolio", self.portfolio)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} {share}: a share from 0 to 1")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the accounts are published."""

    published: int
    total: int


@dataclass(frozen=True, slots=True)
class SimulateSettings:
    """Settings of one simulated exchange."""

    brokers: str = "127.0.0.1:9092"
    client: Mapping[str, Any] = field(default_factory=dict)
    """Further keyword arguments for every aiokafka client (security, TLS)."""
    prefix: str = ""
    """Of every topic name."""
    accounts: int = 20_000
    """Accounts to generate when the account topics hold none yet."""
    seed: int = 1
    shares: Shares = Shares()
    """Of the accounts generated: how many hold options."""
    clock: Literal["wall", "event"] = "wall"
    """What `ts`, delays and expiry follow: this machine's clock or the highest tick `ts`."""
    time_scale: float = 1.0
    """Seconds of the event clock per second of wall time; delays are multiplied by it."""
    start_ts: int | None = None
    """`ts` of the accounts on the event clock while there are no ticks yet."""
    reference: Mapping[str, Any] | None = None
    """A raw reference file; the packaged one when left out."""
    prices: Mapping[str, Decimal] | None = None
    """Start prices by symbol (`BTC-USD`, `BTC-USDT-SWAP`); taken from `ticks` when left out."""
    delay_ms: int = 50
    """From a command to its first fill, before the time scale."""
    slippage_bps: float = 2.0
    """At most this much worse than the market, against the account."""
    activity_rate: float = 5.0
    """Deposits, orders and trades a second of wall time; 0 also stops resting orders' fills."""
    commands_from: Literal["earliest", "latest"] = "earliest"
    """Where reading of commands begins; expiry and caps make `earliest` harmless."""
    faults: Faults = Faults()
