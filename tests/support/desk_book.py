"""A portfolio account of the made-up desk: an option book on BTC, a perpetual on ETH."""

from __future__ import annotations

from typing import Any

from monitor.options import sensitivities

__all__ = ["BOOK", "book_detail", "risk_units"]

BOOK = "acct-00077"
_INDEX = 52_810.4
_SHOCKS = (-0.12, -0.08, -0.04, 0.0, 0.04, 0.08, 0.12)
_VOLATILITY = {"down": 0.75, "same": 1.0, "up": 1.4}
_LEGS = (
    ("BTC-USD-251226-45000-P", "put", 45_000.0, -900.0, 0.71),
    ("BTC-USD-251226-60000-C", "call", 60_000.0, -600.0, 0.62),
    ("BTC-USD-251226-50000-P", "put", 50_000.0, 400.0, 0.66),
)
_PERPETUAL = -420.0
_SIZE = 0.01
_YEARS = 0.21


def _worth(by: float, times: float) -> float:
    worth = sum(
        count * _SIZE * sensitivities(kind, _INDEX * (1 + by), strike, _YEARS, vol * times).value  # type: ignore[arg-type]
        for _, kind, strike, count, vol in _LEGS
    )
    return worth + _PERPETUAL * _SIZE * _INDEX * by


def _text(number: float) -> str:
    return f"{number:.6f}"


def _shock(by: float) -> str:
    return f"{by:.2f}".rstrip("0").rstrip(".") or "0"


def _btc() -> dict[str, Any]:
    now = _worth(0.0, 1.0)
    grid = {
        name: {_shock(by): _worth(by, times) - now for by in _SHOCKS}
        for name, times in _VOLATILITY.items()
    }
    cells = [(pnl, vol, by) for vol, row in grid.items() for by, pnl in row.items()]
    pnl, vol, by = min(cells)
    extreme, side = min((_worth(move, 1.0) - now, move) for move in (-0.24, 0.24))
    positions = []
    total = dict.fromkeys(("delta", "gamma", "vega", "theta"), 0.0)
    for name, kind, strike, count, sigma in _LEGS:
        found = sensitivities(kind, _INDEX, strike, _YEARS, sigma)  # type: ignore[arg-type]
        lots = count * _SIZE
        own = {
            "delta": lots * found.delta * _INDEX,
            "gamma": lots * found.gamma * _INDEX**2,
            "vega": lots * found.vega,
            "theta": lots * found.theta / 365,
        }
        total = {greek: total[greek] + value for greek, value in own.items()}
        positions.append(
            {
                "instrument": name,
                "position_side": "net",
                "quantity": f"{count:.0f}",
                **{greek: _text(value) for greek, value in own.items()},
                "implied_volatility": _text(sigma),
            }
        )
    hedge = _PERPETUAL * _SIZE * _INDEX
    zero = {"gamma": "0", "vega": "0", "theta": "0"}
    positions.append(
        {
            "instrument": "BTC-USDT-SWAP",
            "position_side": "net",
            "quantity": f"{_PERPETUAL:.0f}",
            "delta": _text(hedge),
            **zero,
        }
    )
    total["delta"] += hedge
    charges = {"mr1": -pnl, "mr2": 1_204.11, "mr3": 2_310.5, "mr4": 812.4, "mr5": 96.2}
    charges |= {"mr6": -extreme / 2, "mr7": 2_410.9, "mr9": 0.0}
    maintenance = max(-pnl, 1_204.11, -extreme / 2) + 2_310.5 + 812.4 + 96.2
    return {
        "maintenance_margin": _text(maintenance),
        "initial_margin": _text(1.3 * maintenance),
        **{greek: _text(value) for greek, value in total.items()},
        "spot_in_use": "0.8",
        "charges": {name: _text(value) for name, value in charges.items()},
        "scenarios": {vol: {b: _text(p) for b, p in row.items()} for vol, row in grid.items()},
        "worst": {"volatility": vol, "spot": by, "pnl": _text(pnl)},
        "extreme": {"spot": _shock(side), "pnl": _text(extreme)},
        "positions": positions,
    }


def risk_units() -> dict[str, Any]:
    """Return the account's two units: one with options, one in which MR7 decides."""
    shocks = {_shock(by): _text(-3.1 * by) for by in _SHOCKS}
    perpetual = {"delta": "-3.1", "gamma": "0", "vega": "0", "theta": "0"}
    small = {
        "maintenance_margin": "40.5",
        "initial_margin": "52.65",
        **perpetual,
        "spot_in_use": "0",
        "charges": {f"mr{n}": "0" for n in (2, 3, 5, 9)}
        | {"mr1": "0.372", "mr4": "0.0062", "mr6": "0.372", "mr7": "40.5"},
        "scenarios": dict.fromkeys(_VOLATILITY, shocks),
        "worst": {"volatility": "up", "spot": "0.12", "pnl": "-0.372"},
        "extreme": {"spot": "0.24", "pnl": "-0.744"},
        "positions": [
            {
                "instrument": "ETH-USDT-SWAP",
                "position_side": side,
                "quantity": count,
                **perpetual,
            }
            for side, count in (("long", "12"), ("short", "-12.1"))
        ],
    }
    return {"BTC": _btc(), "ETH": small}


def book_detail(detail: dict[str, Any]) -> dict[str, Any]:
    """Return the answer about this account, from that about another."""
    shown = {**detail["assessment"], "account_id": BOOK, "mode": "portfolio"}
    return {**detail, "assessment": {**shown, "risk_units": risk_units()}}
