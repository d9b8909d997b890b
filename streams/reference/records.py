"""What travels on the reference topic: one record an entry, and a `set` record that closes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from monitor.reference import (
    BadReference,
    Reference,
    entries_of,
    entry_bytes,
    file_of,
    load_reference,
    set_hash,
)

__all__ = ["SET_KEY", "SetRecord", "compile_set", "encode_entries", "encode_set", "mismatches"]

SET_KEY = b"set"


class SetRecord(msgspec.Struct, frozen=True):
    """Closes a publication: key → SHA-256 of the entry's bytes, the hash of the set, when."""

    entries: dict[str, str]
    sha256: str
    ts: int


def encode_entries(raw: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the records of a checked reference file, by key."""
    return {key: entry_bytes(entry) for key, entry in entries_of(raw).items()}


def encode_set(entries: Mapping[str, bytes], ts: int) -> SetRecord:
    """Return the record that closes these entries."""
    hashes = {key: hashlib.sha256(value).hexdigest() for key, value in entries.items()}
    return SetRecord(entries=hashes, sha256=set_hash(hashes), ts=ts)


def mismatches(entries: Mapping[str, bytes], closing: SetRecord) -> list[str]:
    """Return every way in which the entries are not the set that the record closes."""
    errors = []
    for key, expected in closing.entries.items():
        value = entries.get(key)
        if value is None:
            errors.append(f"{key}: missing")
        elif hashlib.sha256(value).hexdigest() != expected:
            errors.append(f"{key}: its bytes are not those that the set names")
    errors.extend(f"{key}: not named by the set" for key in entries if key not in closing.entries)
    if set_hash(closing.entries) != closing.sha256:
        errors.append(f"sha256: {closing.sha256} is not the hash of the entries' hashes")
    return errors


def compile_set(entries: Mapping[str, bytes], closing: SetRecord) -> Reference:
    """Return the reference that these entries make; raises `BadReference` with every error."""
    parsed: dict[str, Any] = {}
    errors = []
    for key, value in entries.items():
        try:
            parsed[key] = json.loads(value)
        except (ValueError, RecursionError) as error:
            errors.append(f"{key}: no JSON: {error}")
    if errors:
        raise BadReference(errors)
    return load_reference(file_of(parsed), sha256=closing.sha256)
