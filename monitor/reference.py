"""The reference set in use: checked as a whole, compiled for the rules, named by its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from monitor.exact import ONE, ZERO
from monitor.schema.portfolio import PortfolioParameters
from monitor.schema.reference import (
    USD,
    BorrowTier,
    Currency,
    Fees,
    Instrument,
    OptionParameters,
    Policy,
    PositionTier,
    ReferenceFile,
)
from monitor.terms import CoinTerms, ContractTerms, coin_terms, contract_terms

__all__ = [
    "BadReference",
    "InterestTimes",
    "Reference",
    "entries_of",
    "entry_bytes",
    "file_of",
    "load_reference",
    "set_hash",
]

DEFAULT_FEES = "default"
DEFAULT_OPTIONS = {
    "BTC": OptionParameters(c=Decimal("0.03")),
    "ETH": OptionParameters(c=Decimal("0.05")),
}
"""MM-3."""
_SECTIONS = {"currency": "currencies", "instrument": "instruments", "fees": "fees"}
"""Key prefix → section of the file, of what is given by name."""
_SINGLES = ("policy", "options", "portfolio")


class BadReference(ValueError):
    """Raised when a reference set is malformed or contradicts itself; `errors` names each."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


FloatTiers = tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float, float], ...]]


class InterestTimes(NamedTuple):
    """After a full hour, in milliseconds."""

    recording: int
    """How long its window is."""
    deduction: int
    """When its interest leaves cash."""
    booked_here: bool
    """The monitor books interest; otherwise the exchange does."""


@dataclass(frozen=True)
class Reference:
    """One complete reference set; compared by `sha256`."""

    currencies: Mapping[str, Currency]
    instruments: Mapping[str, Instrument]
    fees: Mapping[str, Fees]
    policy: Policy
    sha256: str = ""
    options: Mapping[str, OptionParameters] = field(default_factory=lambda: DEFAULT_OPTIONS)
    """Underlying → MM-3's parameters."""
    portfolio: tuple[PortfolioParameters, ...] = ()
    """PM: by `valid_from`, the oldest first."""
    sizes: dict[str, Decimal] = field(default_factory=dict, compare=False)
    """Instrument → contract value × multiplier."""

    grids: dict[tuple[int, str], Any] = field(default_factory=dict, compare=False)
    """(place in `portfolio`, underlying) → its compiled grid, for `monitor.margin.portfolio`."""

    def __post_init__(self) -> None:
        for name, instrument in self.instruments.items():
            self.sizes[name] = instrument.contract_value * instrument.multiplier

    def fees_of(self, schedule: str) -> Fees:
        """Return the schedule called `schedule`; an unknown one pays the default rates."""
        found = self.fees.get(schedule)
        return found if found is not None else self.fees.get(DEFAULT_FEES, Fees())

    @cached_property
    def coins(self) -> dict[str, CoinTerms]:
        """Currency → its terms, USD among them."""
        found = {name: coin_terms(entry) for name, entry in self.currencies.items()}
        return {**found, "USD": coin_terms(USD)}

    @cached_property
    def contracts(self) -> dict[str, ContractTerms]:
        """Derivative → its terms."""
        return {
            name: contract_terms(name, entry, self.sizes[name])
            for name, entry in self.instruments.items()
            if entry.kind != "spot"
        }

    @cached_property
    def float_tiers(self) -> dict[str, FloatTiers]:
        """Currency → its tiers in floats, for the watch: discount (up to, rate), borrowing (up to,
        initial, maintenance).
        """
        return {
            name: (
                tuple((float(t.up_to), float(t.rate)) for t in entry.discount_tiers),
                tuple(
                    (float(t.up_to), float(t.initial), float(t.maintenance))
                    for t in entry.borrow_tiers
                ),
            )
            for name, entry in self.currencies.items()
        }

    @cached_property
    def interest_times(self) -> InterestTimes:
        """IN-1: the bounds of an hour's interest, in milliseconds."""
        policy = self.policy
        return InterestTimes(
            int(policy.recording_seconds * 1000),
            int(policy.deduction_seconds * 1000),
            policy.interest_booking == "monitor",
        )

    @cached_property
    def spot_pairs(self) -> dict[tuple[str, str], str]:
        """(base, quote) → spot instrument."""
        return {
            (i.underlying, i.quote): name
            for name, i in sorted(self.instruments.items())
            if i.kind == "spot"
        }

    @cached_property
    def forwards(self) -> dict[tuple[str, int], tuple[str, ...]]:
        """(underlying, expiry) → its dated futures, linear ones first, by name (MM-3)."""
        found: dict[tuple[str, int], list[tuple[bool, str]]] = {}
        for name, i in self.instruments.items():
            if i.kind == "future" and i.expiry is not None:
                found.setdefault((i.underlying, i.expiry), []).append((i.inverse, name))
        return {key: tuple(name for _, name in sorted(names)) for key, names in found.items()}


def position_tier(tiers: tuple[PositionTier, ...], size: Decimal) -> tuple[int, PositionTier, bool]:
    """MM-2: return (1-based tier, its entry, whether `size` lies beyond the last)."""
    for number, tier in enumerate(tiers, 1):
        if size <= tier.up_to:
            return number, tier, False
    return len(tiers), tiers[-1], True


NO_BORROW_TIER = BorrowTier(up_to=ONE, initial=ZERO, maintenance=ZERO)


def borrow_tier(tiers: tuple[BorrowTier, ...], amount: Decimal) -> tuple[int, BorrowTier, bool]:
    """MM-2: return (1-based tier, its entry, beyond the last) of a borrowed amount in coin."""
    if not tiers:
        return 0, NO_BORROW_TIER, False
    for number, tier in enumerate(tiers, 1):
        if amount <= tier.up_to:
            return number, tier, False
    return len(tiers), tiers[-1], True


def _contradictions(raw: Any) -> list[str]:
    """Return every way in which the entries do not fit one another.

    It reads the file as it came, so that these errors are named beside those of single entries.
    """
    currencies, instruments = _section(raw, "currencies"), _section(raw, "instruments")
    known = {*currencies, "USD"}
    priced = {*DEFAULT_OPTIONS, *_section(raw, "options")}
    errors: list[str] = []
    if not currencies:
        return errors  # said already, and all that follows from it would be noise
    for name, instrument in instruments.items():
        for label in ("underlying", "quote", "settle"):
            currency = instrument.get(label)
            if isinstance(currency, str) and currency not in known:
                errors.append(f"instruments.{name}.{label}: unknown currency {currency}")
        if instrument.get("kind") == "option" and str(instrument.get("underlying")) not in priced:
            errors.append(
                f"options.{instrument.get('underlying')}: needed by {name} and not given (MM-3)"
            )
        if "/" in str(name):
            errors.append(f"instruments.{name}: an instrument id must not contain '/'")
    for name, entry in currencies.items():
        others = entry.get("quota_adds_available_of")
        errors.extend(
            f"currencies.{name}.quota_adds_available_of: unknown currency {other}"
            for other in (others if isinstance(others, list | tuple) else ())
            if other not in known
        )
    return errors + _of_dated_sets(raw, known)


def _of_dated_sets(raw: Any, known: set[str]) -> list[str]:
    """PM-4: two sets of one day, and units of currencies that there are not."""
    sets = raw.get("portfolio") if isinstance(raw, Mapping) else None
    errors, days = [], set()
    for number, one in enumerate(sets if isinstance(sets, list | tuple) else ()):
        plain = one.model_dump() if isinstance(one, BaseModel) else one
        if not isinstance(plain, Mapping):
            continue
        day = str(plain.get("valid_from"))
        if day in days:
            errors.append(f"portfolio.{number}.valid_from: {day} is given twice")
        days.add(day)
        units = plain.get("units")
        errors += [
            f"portfolio.{number}.units.{name}: unknown currency {name}"
            for name in (units if isinstance(units, Mapping) else ())
            if name not in {*known, "default"}
        ]
    return errors


def _section(raw: Any, name: str) -> dict[str, dict[str, Any]]:
    """Return a section's entries as plain mappings, empty where they are none."""
    section = raw.get(name) if isinstance(raw, Mapping) else None
    found = {}
    for key, entry in (section if isinstance(section, Mapping) else {}).items():
        plain = entry.model_dump() if isinstance(entry, BaseModel) else entry
        found[key] = dict(plain) if isinstance(plain, Mapping) else {}
    return found


def _describe(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors()
    ]


def entries_of(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a reference file's entries under their `reference` keys (`currency:BTC`, `policy`)."""
    entries: dict[str, Any] = {}
    for prefix, section in _SECTIONS.items():
        for name, entry in (raw.get(section) or {}).items():
            entries[f"{prefix}:{name}"] = entry
    for single in _SINGLES:
        if raw.get(single):
            entries[single] = raw[single]
    return entries


def file_of(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return the reference file that these entries come from: the inverse of `entries_of`.

    Raises `BadReference` for keys that no entry has.
    """
    raw: dict[str, Any] = {"currencies": {}}
    unknown = []
    for key, entry in entries.items():
        prefix, colon, name = key.partition(":")
        if colon and name and prefix in _SECTIONS:
            raw.setdefault(_SECTIONS[prefix], {})[name] = entry
        elif key in _SINGLES:
            raw[key] = entry
        else:
            unknown.append(f"{key!r}: no kind of entry has such a key")
    if unknown:
        raise BadReference(unknown)
    return raw


def set_hash(hashes: Mapping[str, str]) -> str:
    """Return the SHA-256 of a set, given the SHA-256 of each entry's bytes by key."""
    canonical = json.dumps(dict(hashes), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def entry_bytes(entry: Any) -> bytes:
    """Return one entry as it travels: canonical JSON, so that equal entries have equal hashes."""
    if isinstance(entry, BaseModel):
        return entry.model_dump_json().encode()
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), default=str).encode()


def load_reference(raw: Any, *, sha256: str | None = None) -> Reference:
    """Check a parsed reference file and compile it.

    `sha256` names the set when it came over the bus; otherwise it is made from the entries.
    Raises `BadReference` with every error found.
    """
    try:
        parsed = ReferenceFile.model_validate(raw)
    except ValidationError as error:
        raise BadReference(_describe(error) + _contradictions(raw)) from None
    errors = _contradictions(raw)
    if errors:
        raise BadReference(errors)
    if sha256 is None:
        sha256 = set_hash(
            {k: hashlib.sha256(entry_bytes(e)).hexdigest() for k, e in entries_of(raw).items()}
        )
    return Reference(
        currencies=parsed.currencies,
        instruments=parsed.instruments,
        fees=parsed.fees,
        policy=parsed.policy,
        sha256=sha256,
        options={**DEFAULT_OPTIONS, **parsed.options},
        portfolio=tuple(sorted(parsed.portfolio, key=lambda one: one.valid_from)),
    )
