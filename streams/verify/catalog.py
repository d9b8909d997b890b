"""The reference sets that were published, each by the SHA-256 that commands name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from pydantic import ValidationError

from monitor.schema import Currency, Fees, Instrument, Policy
from monitor.schema.reference import OptionParameters
from streams.verify.records import Record

__all__ = ["ReferenceSet", "canonical_sha256", "published_sets"]

_OPTIONS = {
    "BTC": OptionParameters(c=Decimal("0.03")),
    "ETH": OptionParameters(c=Decimal("0.05")),
}
"""MM-3: what holds unless the set says otherwise."""


_USD = Currency(minimum_rate=Decimal(1))
"""USD is 1 and counts in full, whether or not the set has it (PX-1)."""


@dataclass(frozen=True)
class ReferenceSet:
    """One complete publication; `since` is the append time of the record that completed it."""

    sha256: str
    since: int
    currencies: Mapping[str, Currency] = field(repr=False)
    instruments: Mapping[str, Instrument] = field(repr=False)
    fees: Mapping[str, Fees] = field(repr=False)
    policy: Policy = field(repr=False)
    options: Mapping[str, OptionParameters] = field(default_factory=dict, repr=False)

    def option_parameters(self, underlying: str) -> OptionParameters:
        """Return MM-3's parameters of an underlying."""
        return self.options.get(underlying) or _OPTIONS[underlying]

    def futures_of(self, underlying: str, expiry: int | None) -> tuple[str, ...]:
        """Return the futures of an underlying that expire then: linear first, then by name."""
        return self._futures.get((underlying, expiry), ())

    @cached_property
    def _futures(self) -> dict[tuple[str, int | None], tuple[str, ...]]:
        found: dict[tuple[str, int | None], list[tuple[bool, str]]] = {}
        for name, spec in self.instruments.items():
            if spec.kind == "future":
                found.setdefault((spec.underlying, spec.expiry), []).append((spec.inverse, name))
        return {key: tuple(name for _, name in sorted(names)) for key, names in found.items()}

    def fees_of(self, schedule: str | None) -> Fees:
        """Return the taker rates of a fee schedule, the default ones when it has no entry."""
        named = self.fees.get(schedule or "default")
        return named or self.fees.get("default") or Fees()

    def spot_pair(self, base: str, quote: str) -> str | None:
        """Return the spot instrument that trades `base` against `quote`."""
        return self._pairs.get((base, quote))

    @cached_property
    def _pairs(self) -> dict[tuple[str, str], str]:
        return {
            (spec.underlying, spec.quote): name
            for name, spec in sorted(self.instruments.items(), reverse=True)
            if spec.kind == "spot"
        }


def canonical_sha256(entries: Mapping[str, str]) -> str:
    """Return the hash of a publication: SHA-256 of its entries' hashes in canonical JSON."""
    text = json.dumps(entries, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def published_sets(records: Sequence[Record]) -> tuple[list[ReferenceSet], list[str]]:
    """Return every complete set in order of publication, and what was wrong with the others."""
    latest: dict[str, bytes] = {}
    waiting: dict[str, str] | None = None
    sets: list[ReferenceSet] = []
    faults: list[str] = []
    for record in records:
        key = (record.key or b"").decode()
        if key == "set":
            waiting = _entries(record, faults)
        elif record.value is None:
            latest.pop(key, None)
        else:
            latest[key] = record.value
        if waiting is not None and _complete(waiting, latest):
            try:
                sets.append(_built(waiting, latest, record.timestamp))
            except ValidationError as error:
                faults.append(f"reference set {canonical_sha256(waiting)}: {error}")
            waiting = None
    if waiting is not None:
        missing = sorted(
            name
            for name, digest in waiting.items()
            if hashlib.sha256(latest.get(name, b"")).hexdigest() != digest
        )
        faults.append(f"reference set never completed; these entries do not hash: {missing}")
    return sets, faults


def _entries(record: Record, faults: list[str]) -> dict[str, str] | None:
    try:
        content = json.loads(record.value or b"")
        entries: dict[str, str] = content["entries"]
        stated: str = content["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        faults.append(f"reference offset {record.offset}: unreadable set record: {error!r}")
        return None
    if canonical_sha256(entries) != stated:
        faults.append(
            f"reference offset {record.offset}: sha256 {stated} stated, "
            f"{canonical_sha256(entries)} computed from its entries"
        )
    return entries


def _complete(entries: Mapping[str, str], latest: Mapping[str, bytes]) -> bool:
    return all(
        name in latest and hashlib.sha256(latest[name]).hexdigest() == digest
        for name, digest in entries.items()
    )


def _built(entries: Mapping[str, str], latest: Mapping[str, bytes], since: int) -> ReferenceSet:
    named = {name.partition(":")[::2]: latest[name] for name in entries}
    policy = latest["policy"] if "policy" in entries else b"{}"
    return ReferenceSet(
        sha256=canonical_sha256(entries),
        since=since,
        currencies={"USD": _USD}
        | {
            name: Currency.model_validate_json(value)
            for (kind, name), value in named.items()
            if kind == "currency"
        },
        instruments={
            name: Instrument.model_validate_json(value)
            for (kind, name), value in named.items()
            if kind == "instrument"
        },
        fees={
            name: Fees.model_validate_json(value)
            for (kind, name), value in named.items()
            if kind == "fees"
        },
        policy=Policy.model_validate_json(policy),
        options={
            name: OptionParameters.model_validate_json(json.dumps(entry))
            for name, entry in json.loads(
                latest["options"] if "options" in entries else b"{}"
            ).items()
        },
    )
