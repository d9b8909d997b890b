"""The demo's reference set, whole or cut down to what a replay has prices for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

__all__ = ["demo_reference", "subset"]

# The one in C, where there is one, is ten times as fast.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def _packaged() -> str:
    return files("streams.simulator").joinpath("reference.yaml").read_text(encoding="utf-8")


def demo_reference(
    symbols: Iterable[str] | None = None,
    policy: Mapping[str, Any] | None = None,
    *,
    dated: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the packaged reference set in the form of the reference file.

    `symbols` are those of the ticks to come (`BTC-USD`, `BTC-USDT-SWAP`): the set is then cut down
    to what they price. `dated` are instruments to add (`list_dated`). `policy` overrides settings of the policy by name, for instance
    `time_scale` and `max_age_seconds`.
    """
    raw: dict[str, Any] = yaml.load(_packaged(), Loader=_Loader)  # noqa: S506 - a safe one
    raw["instruments"].update(dated or {})
    if symbols is not None:
        raw = subset(raw, symbols)
    raw["policy"] = {**(raw.get("policy") or {}), **(policy or {})}
    return raw


def subset(raw: Mapping[str, Any], symbols: Iterable[str]) -> dict[str, Any]:
    """Return `raw` without the currencies and instruments that no tick of `symbols` prices (PX-2).

    A spot pair stays when both its coins do; a derivative when its own mark is among `symbols`; a
    risk unit's parameters when its coin does.
    """
    priced = set(symbols)
    currencies = {
        name: dict(entry)
        for name, entry in raw["currencies"].items()
        if any(f"{name}-{quote}" in priced for quote in ("USD", "USDT", "BTC", "ETH"))
    }
    for entry in currencies.values():
        adds = entry.get("quota_adds_available_of")
        if adds:
            entry["quota_adds_available_of"] = [name for name in adds if name in currencies]
    known = {*currencies, "USD"}
    instruments = {
        name: entry
        for name, entry in raw["instruments"].items()
        if {entry["underlying"], entry["quote"], entry.get("settle") or entry["quote"]} <= known
        and (entry["kind"] == "spot" or name in priced)
    }
    portfolio = [
        {**dated, "units": {n: u for n, u in dated["units"].items() if n in {*known, "default"}}}
        for dated in raw.get("portfolio") or ()
    ]
    return {**raw, "currencies": currencies, "instruments": instruments, "portfolio": portfolio}
