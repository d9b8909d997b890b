"""Topic histories made by hand, record by record, for the check over the topics."""

from __future__ import annotations

import hashlib
import json
import uuid
from decimal import Decimal
from typing import Any

from streams.verify import History, Record

START = 1_700_000_000_000
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:liqmon:command")
ACCOUNT_TOPICS = ("accounts", "transfers", "orders", "fills")
TOPIC_OF = {
    "warning": "warnings",
    "order_cancel": "order-cancels",
    "reduction": "reductions",
    "auto_exchange": "reductions",
    "episode": "episodes",
}


def text(value: Any) -> str:
    """Return a number as it travels: a decimal in a string."""
    return format(Decimal(value), "f")


class Scene:
    """A worker's run told step by step; the clock moves 100 ms with every tick."""

    def __init__(self, entries: dict[str, Any]) -> None:
        self.topics: dict[str, list[Record]] = {}
        self.now = START
        self.reference = ""
        self.last_tick: dict[str, tuple[int, str]] = {}
        self.last_event: dict[str, dict[str, int]] = {}
        self.sequence: dict[str, int] = {}
        self.commands: dict[str, int] = {}
        self.publish(entries)

    def put(self, topic: str, key: str, value: dict[str, Any]) -> int:
        """Append one record and return its offset."""
        records = self.topics.setdefault(topic, [])
        data = json.dumps(value, separators=(",", ":")).encode()
        records.append(Record(0, len(records), self.now, key.encode(), data))
        return len(records) - 1

    def publish(self, entries: dict[str, Any]) -> None:
        """Publish a reference set that is complete."""
        hashes = {}
        for key, value in entries.items():
            self.put("reference", key, value)
            hashes[key] = hashlib.sha256(self.topics["reference"][-1].value or b"").hexdigest()
        canonical = json.dumps(hashes, sort_keys=True, separators=(",", ":"))
        self.reference = hashlib.sha256(canonical.encode()).hexdigest()
        self.put("reference", "set", {"entries": hashes, "sha256": self.reference, "ts": self.now})

    def tick(self, symbol: str, price: Any, kind: str = "index") -> int:
        """Publish a price."""
        self.now += 100
        value = {"symbol": symbol, "kind": kind, "price": text(price), "ts": self.now, "seq": 0}
        offset = self.put("ticks", symbol, value)
        self.last_tick[f"{symbol}/{kind}"] = (offset, text(price))
        return offset

    def event(self, topic: str, account: str, **fields: Any) -> int:
        """Publish an account event, with the next `account_seq`."""
        number = self.sequence.get(account, 0) + 1
        self.sequence[account] = number
        value = {"account_id": account, "account_seq": number, "ts": self.now, **fields}
        offset = self.put(topic, account, value)
        self.last_event.setdefault(account, {})[topic] = offset
        return offset

    def heartbeat(self, **changes: Any) -> None:
        """Say that everything up to here is covered."""
        span = {
            "partition": 0,
            "ready": True,
            "since": START,
            "since_tick": 0,
            "tick": len(self.topics["ticks"]) - 1,
            "book": {
                topic: len(self.topics.get(topic, ())) - 1
                for topic in ACCOUNT_TOPICS
                if self.topics.get(topic)
            },
            **changes,
        }
        beat = {
            "kind": "heartbeat",
            "worker": "w1",
            "state": "ready",
            "partitions": [0],
            "spans": [span],
            "accounts": {},
            "now": self.now,
            "ts": self.now,
        }
        self.put("heartbeats", "w1", beat)

    def command(
        self,
        kind: str,
        account: str,
        episode: int,
        symbols: tuple[str, ...],
        position: str | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """Send a command decided on everything up to here, about an isolated `position` if any."""
        subject = account if position is None else f"{account}/{position}"
        episode_id = f"{subject}#{episode}"
        sequence = self.commands.get(episode_id, 0) + 1
        self.commands[episode_id] = sequence
        value = {
            "command_id": str(uuid.uuid5(NAMESPACE, f"{episode_id}|{sequence}")),
            "kind": kind,
            "account_id": account,
            "episode_id": episode_id,
            "position": position,
            "sequence": sequence,
            "attempt": 1,
            "cause": {"kind": "tick", "symbol": next(iter(symbols), None), "ts": self.now},
            "prices": {key: self.last_tick[key][1] for key in symbols},
            "stale_prices": [],
            "rules": ["ES-2"],
            "decided_at": self.now,
            "expires_at": self.now + 30_000,
            "inputs": {
                "book": dict(self.last_event[account]),
                "ticks": {key: self.last_tick[key][0] for key in symbols},
                "reference": self.reference,
            },
            **fields,
        }
        self.put(TOPIC_OF[kind], account, value)
        return value

    def history(self) -> History:
        """Return what was published so far."""
        return History({topic: tuple(records) for topic, records in self.topics.items()})
