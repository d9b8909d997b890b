"""What the page is tested against: the API's answers for one made-up moment of a crash.

The account in full is assessed by the engine itself and the commands are its own models, so that their
shapes cannot drift from what goes out. Everything else has the shapes of `streams.dashboard.api.models`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml

from monitor.explain import plain_tree
from monitor.schema.commands import (
    Action,
    Cause,
    EpisodeNotice,
    Inputs,
    OrderCancel,
    Reduction,
    WarningCommand,
)
from streams.evaluate import evaluate_file

__all__ = ["ACCOUNT", "EPISODE", "NOW", "Desk", "State"]

State = Literal["crash", "calm", "empty"]

NOW = 1_760_130_245_000
"""2025-10-10 21:04:05 UTC."""
ACCOUNT = "acct-00042"
EPISODE = f"{ACCOUNT}#1"
_REFERENCE = Path(__file__).parents[2] / "streams/simulator/reference.yaml"
_PRICES = {
    "BTC-USD": "52810.4",
    "ETH-USD": "2440.15",
    "SOL-USD": "98.31",
    "USDT-USD": "0.9996",
    "BTC-USDT-SWAP": "52801.1",
    "ETH-USDT-SWAP": "2438.9",
    "SOL-USDT-SWAP": "98.2",
}
_CHANGES = ("-0.1123", "-0.2408", "-0.3115", "-0.0004", "-0.1125", "-0.241", "-0.3121")
_BANDS: Mapping[State, tuple[int, int, int, int, int]] = {
    "crash": (330, 61, 19_597, 12, 0),
    "calm": (0, 0, 20_000, 0, 0),
    "empty": (0, 0, 0, 0, 0),
}

_ORDER = {
    "instrument": "BTC-USDT-SWAP",
    "position_side": "long",
    "margin_mode": "cross",
    "status": "open",
    "auto_borrow": False,
}
_MESSAGE: dict[str, Any] = {
    "account_id": ACCOUNT,
    "mode": "multi_currency",
    "auto_borrow": True,
    "position_mode": "long_short",
    "vip_level": 5,
    "leverage": {"BTC-USDT-SWAP": "20", "ETH-USDT-SWAP": "20", "SOL-USDT-SWAP/isolated/long": "5"},
    "borrow_leverage": {"*": "5"},
    "snapshot": {
        "balances": [
            {"currency": "BTC", "cash": "1.25"},
            {"currency": "USDT", "cash": "-38512.75"},
            {"currency": "ETH", "cash": "3.4"},
        ],
        "positions": [
            {
                "instrument": "BTC-USDT-SWAP",
                "position_side": "long",
                "margin_mode": "cross",
                "quantity": "1210.5",
                "entry_price": "55210.3",
            },
            {
                "instrument": "ETH-USDT-SWAP",
                "position_side": "short",
                "margin_mode": "cross",
                "quantity": "84",
                "entry_price": "2391.02",
            },
            {
                "instrument": "SOL-USDT-SWAP",
                "position_side": "long",
                "margin_mode": "isolated",
                "quantity": "120",
                "entry_price": "108.2",
                "margin": "2400",
                "margin_currency": "USDT",
                "leverage": "5",
            },
        ],
        "orders": [
            {
                **_ORDER,
                "order_id": "o-9917",
                "side": "sell",
                "price": "58000",
                "quantity": "100",
                "filled_quantity": "12.5",
                "reduce_only": True,
                "version": 3,
                "created_ts": NOW - 60_000,
            }
        ],
    },
}


@lru_cache
def _evaluated(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    path = folder / "desk.yaml"
    path.write_text(
        yaml.safe_dump({"reference": str(_REFERENCE), "prices": _PRICES, "accounts": [_MESSAGE]})
    )
    (found,) = evaluate_file(path, explains=True)
    assert found.explanation is not None
    return json.loads(found.assessment.model_dump_json()), plain_tree(found.explanation)


class Desk:
    """The answers; `state` may be changed at any time, the next answer has it."""

    def __init__(self, folder: Path, state: State = "crash") -> None:
        self.folder = folder
        self.state: State = state
        self.asked: list[Any] = []
        """Bodies of what-ifs and checks, as they came in."""
        self._ticks = 0

    # -- overview -----------------------------------------------------------------------------

    def overview(self) -> dict[str, Any]:
        """The overview; each one is a second after the one before."""
        self._ticks += 1
        low, warned, normal, unpriced, unassessed = _BANDS[self.state]
        now = NOW + self._ticks * 1000
        empty = self.state == "empty"
        nearest = None if empty else {"account_id": self._name(0), "ratio": self._ratio(0)}
        return {
            "bands": {
                "normal": normal,
                "warning": warned,
                "liquidation": low,
                "unpriced": unpriced,
                "unassessed": unassessed,
            },
            "accounts": low + warned + normal + unpriced + unassessed,
            "now": now,
            "wall": now,
            "clock": "wall",
            "nearest": nearest and {**nearest, "band": self._band(nearest["ratio"])},
            "prices": [] if empty else self._prices(now),
            "workers": [] if empty else [self._worker(number, now) for number in (1, 2)],
            "commands": {"warning": 61, "order_cancel": 312, "reduction": 288, "episode": 40}
            if self.state == "crash"
            else {},
            "episodes_open": 391 if self.state == "crash" else 0,
            "last_tick": None if empty else now - 300,
            "last_tick_age_ms": None if empty else 300,
            "ticks_per_second": 0.0 if empty else 1843.2,
            "redis": "ok",
            "kafka": "ok",
            "history": self._history(now) if self.state == "crash" else [],
        }

    @staticmethod
    def _history(now: int) -> list[dict[str, int]]:
        """A crash that began four minutes ago."""
        rows = []
        for back in range(300, 0, -1):
            since = max(0, 240 - back)
            low = min(330, since * since // 130) + (since % 7)
            rows.append(
                {
                    "ts": now - back * 1000,
                    "liquidation": min(330, low) if since else 0,
                    "warning": min(900, since * 9) * max(0, 260 - since) // 260 + 22,
                    "unpriced": 12,
                    "normal": 19_597,
                }
            )
        return rows

    @staticmethod
    def _prices(now: int) -> list[dict[str, Any]]:
        return [
            {
                "symbol": symbol,
                "kind": "mark" if symbol.endswith("SWAP") else "index",
                "price": price,
                "ts": now - 300,
                "age_ms": 14_200 if symbol == "SOL-USDT-SWAP" else 300 + 40 * number,
                "change": _CHANGES[number],
                "change_since": now - 86_400_000,
                "stale": symbol == "SOL-USDT-SWAP",
            }
            for number, (symbol, price) in enumerate(_PRICES.items())
        ]

    @staticmethod
    def _worker(number: int, now: int) -> dict[str, Any]:
        return {
            "worker": f"worker-{number}",
            "state": "ready",
            "partitions": list(range((number - 1) * 8, number * 8)),
            "accounts": {"normal": 9_800, "warning": 30, "liquidation": 165, "unpriced": 5},
            "lag": 3 * number,
            "last_tick": now - 300,
            "missed_crossings": 0,
            "out_of_sync": 0,
            "dead_letters": 0,
            "stale_symbols": [],
            "now": now,
            "ts": now - 400,
            "age_ms": 400,
        }

    # -- accounts -----------------------------------------------------------------------------

    def _ratio(self, number: int) -> str:
        if self.state == "calm":
            return f"{4.1207 + number * 0.05:.6f}"
        return f"{-0.12 + number * 0.0102:.6f}"

    def _name(self, number: int) -> str:
        return ACCOUNT if number == 3 else f"acct-{10_000 + number * 37:05d}"

    @staticmethod
    def _band(ratio: str) -> str:
        value = float(ratio)
        return "liquidation" if value <= 1 else "warning" if value <= 3 else "normal"

    def rows(self) -> list[dict[str, Any]]:
        """Return a few hundred accounts, lowest ratio first."""
        if self.state == "empty":
            return []
        found = []
        for number in range(391):
            ratio = self._ratio(number)
            value = float(ratio)
            trend = [round(value + 0.9 * (19 - at) / 19 + (at % 3) * 0.01, 6) for at in range(20)]
            found.append(
                {
                    "account_id": self._name(number),
                    "ratio": ratio,
                    "band": self._band(ratio),
                    "adjusted_equity": f"{12_000 * value:.4f}",
                    "maintenance_margin": "11000.1234",
                    "updated_at": NOW,
                    "age_ms": 700,
                    "trend": trend if number % 9 else [value] * 20,
                    "distance": {
                        "to_3": f"{(3 - value) * 6:.2f}",
                        "to_1": f"{(1 - value) * 6:.2f}" if number % 5 else None,
                    },
                }
            )
        return found

    def page(self, band: str | None, limit: int, after: str | None, q: str) -> dict[str, Any]:
        """Return one page; its cursor is a plain number."""
        rows = [row for row in self.rows() if band in (None, row["band"])]
        rows = [row for row in rows if row["account_id"].startswith(q)]
        start = int(after or 0)
        following = str(start + limit) if len(rows) > start + limit else None
        return {"accounts": rows[start : start + limit], "next": following, "total": len(rows)}

    def detail(self) -> dict[str, Any]:
        """Return the one account that is known in full."""
        assessment, explanation = _evaluated(self.folder)
        commands = [] if self.state == "calm" else self.episode()
        episode = {
            "episode_id": EPISODE,
            "position": None,
            "opened_at": NOW - 65_000,
            "closed_at": None,
            "state": "opened",
            "commands": commands,
        }
        return {
            "assessment": assessment,
            "explanation": explanation,
            "episodes": [episode] if commands else [],
            "episodes_complete": True,
            "orders": _MESSAGE["snapshot"]["orders"],
            "settings": {
                name: _MESSAGE[name] for name in ("mode", "auto_borrow", "vip_level", "leverage")
            },
            "episode": {},
            "isolated_episodes": {},
            "updated_at": NOW,
            "age_ms": 200,
            "now": NOW,
            "source": "owner",
            "behind": False,
        }

    def borrowing(self) -> dict[str, Any]:
        """Return BL-4 of that account's one debt."""
        limit = {"limit": "8000000", "used": "38512.75", "left": "7961487.25"}
        row = {
            "currency": "USDT",
            "liability": "67682.07",
            "potential_borrowing": "67682.07",
            "isolated_debt": "0",
            "borrow_leverage": "5",
            "margin_usd": "13530.9994",
            "margin": "13536.414",
            "yearly_rate": "0.06",
            "next_yearly_rate": "0.0712",
            "free_part": "20000",
            "tier": limit,
            "main_account": {**limit, "limit": None, "left": None},
            "platform": {**limit, "used": None, "left": None},
        }
        return {"account_id": ACCOUNT, "currencies": [row], "totals_age_ms": 1200}

    # -- commands -----------------------------------------------------------------------------

    def episode(self) -> list[dict[str, Any]]:
        """Return that account's episode, oldest first: warned, cancelled, reduced twice."""
        return [
            _warning("entered", "3", "2.9134", 1, 65_000),
            _notice("opened", "2.9134", 2, 65_000),
            _warning("worsened", "2", "1.9877", 3, 41_000),
            _warning("worsened", "1.2", "1.1876", 4, 19_500),
            _cancel("0.9984", 5, 9_000),
            _reduction(1, "0.9712", "1.0043", 6, 6_200, "310", "1635834.1", 3, 1),
            _reduction(2, "0.9688", "1.0019", 7, 2_100, "84.5", "446169.3", 2, 1),
        ]

    def commands(self) -> list[dict[str, Any]]:
        """Return what went out, newest first."""
        if self.state != "crash":
            return []
        others = []
        for number, row in enumerate(self.rows()[:60]):
            if row["account_id"] == ACCOUNT:
                continue
            made = _cancel(row["ratio"], 3, 3_000 + number * 700, row["account_id"])
            if number % 3 == 0:
                made = _reduction(
                    1, row["ratio"], "1.0102", 4, 2_500 + number * 700, "12.4", "65472.1", 2, 1,
                    account=row["account_id"],
                )  # fmt: skip
            elif number % 7 == 1:
                made = _bankrupt(row["account_id"], row["ratio"], 2_000 + number * 700)
            others.append(made)
        found = [*self.episode(), *others]
        return sorted(found, key=lambda one: -one["decided_at"])


def _head(account: str, ratio: str, sequence: int, back: int) -> dict[str, Any]:
    return {
        "command_id": f"{account}-{sequence}",
        "account_id": account,
        "episode_id": f"{account}#1",
        "sequence": sequence,
        "mode": "multi_currency",
        "band": Desk._band(ratio),
        "ratio": ratio,
        "adjusted_equity": f"{4942.66 * float(ratio):.4f}",
        "maintenance_margin": "4545.651389",
        "liquidation_fee": "397.007",
        "cause": Cause(kind="tick", symbol="BTC-USD", price=Decimal("52810.4"), ts=NOW - back),
        "prices": {"BTC-USD/index": "52810.4"},
        "decided_at": NOW - back,
        "expires_at": NOW - back + 30_000,
        "inputs": Inputs(book={"fills": 12}, ticks={"BTC-USD/index": 99}, reference="0" * 64),
    }


def _warning(state: Any, level: Any, ratio: str, sequence: int, back: int) -> dict[str, Any]:
    made = WarningCommand(
        **_head(ACCOUNT, ratio, sequence, back), state=state, level=level, rules=("ES-3",)
    )
    return made.model_dump(mode="json")


def _notice(state: Any, ratio: str, sequence: int, back: int) -> dict[str, Any]:
    made = EpisodeNotice(**_head(ACCOUNT, ratio, sequence, back), state=state, rules=("ES-2",))
    return made.model_dump(mode="json")


def _bankrupt(account: str, ratio: str, back: int) -> dict[str, Any]:
    made = EpisodeNotice(
        **_head(account, ratio, 9, back),
        state="bankrupt",
        shortfall=Decimal("18234.5"),
        rules=("ES-7",),
    )
    return made.model_dump(mode="json")


def _cancel(ratio: str, sequence: int, back: int, account: str = ACCOUNT) -> dict[str, Any]:
    made = OrderCancel(
        **_head(account, ratio, sequence, back),
        reason="ES-4",
        order_ids=("o-9911", "o-9912", "o-9913"),
        rules=("ES-4",),
    )
    return made.model_dump(mode="json")


def _reduction(
    step: int,
    ratio: str,
    expected: Any,
    sequence: int,
    back: int,
    quantity: Any,
    usd: Any,
    from_tier: int,
    to_tier: int,
    account: str = ACCOUNT,
) -> dict[str, Any]:
    action = Action(
        action="close",
        instrument="BTC-USDT-SWAP",
        side="sell",
        position_side="long",
        quantity=quantity,
        notional_usd=usd,
        from_tier=from_tier,
        to_tier=to_tier,
        bankruptcy_price=Decimal("52411.7"),
        fee_usd=Decimal("817.91"),
        why="relief 6,543.33 USD for a loss of 817.91 USD: the most per USD of loss",
    )
    made = Reduction(
        **_head(account, ratio, sequence, back),
        step=step,
        phase="unhedged",
        actions=(action,),
        expected_ratio=expected,
        rules=("ES-5", "RD-2", "RD-3", "RD-6"),
    )
    return made.model_dump(mode="json")
