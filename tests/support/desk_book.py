"""A portfolio account of the made-up desk: an option book on BTC, a closed spread on ETH."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from monitor.explain import plain_tree
from streams.evaluate import evaluate_file

__all__ = ["BOOK", "book_detail", "risk_units"]

BOOK = "acct-00077"
_NOW = 1_760_130_245_000
_REFERENCE = Path(__file__).parents[2] / "streams/simulator/reference.yaml"
_PRICES = {
    "BTC-USD": "52810.4",
    "ETH-USD": "2440.15",
    "USDT-USD": "0.9996",
    "BTC-USDT-SWAP": "52801.1",
    "ETH-USDT-SWAP": "2438.9",
    "BTC-USD-261225-50000-P": "0.236412",
    "BTC-USD-261225-60000-C": "0.231905",
    "BTC-USD-261225-80000-C": "0.140277",
}


def _held(instrument: str, side: str, quantity: str, entry_price: str) -> dict[str, str]:
    named = {"instrument": instrument, "position_side": side, "margin_mode": "cross"}
    return {**named, "quantity": quantity, "entry_price": entry_price}


_MESSAGE: dict[str, Any] = {
    "account_id": BOOK,
    "mode": "portfolio",
    "auto_borrow": True,
    "position_mode": "long_short",
    "spot_hedge": {"BTC": "0.5"},
    "snapshot": {
        "balances": [
            {"currency": "BTC", "cash": "6.25"},
            {"currency": "USDT", "cash": "84120.5"},
        ],
        "positions": [
            _held("BTC-USD-261225-50000-P", "short", "420", "0.21"),
            _held("BTC-USD-261225-60000-C", "short", "250", "0.26"),
            _held("BTC-USD-261225-80000-C", "long", "360", "0.15"),
            _held("BTC-USDT-SWAP", "short", "60", "54210"),
            _held("ETH-USDT-SWAP", "long", "120", "2391.02"),
            _held("ETH-USDT-SWAP", "short", "120", "2470.5"),
        ],
    },
}


@lru_cache
def _evaluated(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    path = folder / "desk-book.yaml"
    content = {"reference": str(_REFERENCE), "now": _NOW, "prices": _PRICES, "accounts": [_MESSAGE]}
    path.write_text(yaml.safe_dump(content))
    (found,) = evaluate_file(path, explains=True)
    assert found.explanation is not None
    return json.loads(found.assessment.model_dump_json()), plain_tree(found.explanation)


def risk_units(folder: Path) -> dict[str, Any]:
    """Return the account's two units: one with options, one in which MR7 decides."""
    units: dict[str, Any] = _evaluated(folder)[0]["risk_units"]
    return units


def book_detail(folder: Path, other: dict[str, Any]) -> dict[str, Any]:
    """Return the answer about this account; what is no figure of it is the other account's."""
    assessment, explanation = _evaluated(folder)
    return {**other, "assessment": assessment, "explanation": explanation, "orders": []}
