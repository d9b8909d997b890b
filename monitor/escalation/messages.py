"""Commands built from a decision, and built again from what was sent (INTERFACE, Topics out)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, TypeVar

from monitor.escalation.context import Context
from monitor.escalation.episode import Episode, Pending, Wait, command_id, episode_id
from monitor.escalation.rules import Levels
from monitor.escalation.subject import Subject
from monitor.schema.commands import Command, Inputs, OrderCancel, Reduction

__all__ = ["Issuer", "resent", "scaled_ms", "waits_of"]

_Command = TypeVar("_Command", bound=Command)

_AMOUNTS = frozenset(
    {
        "ratio",
        "adjusted_equity",
        "maintenance_margin",
        "liquidation_fee",
        "expected_ratio",
        "price",
        "quantity",
        "notional_usd",
        "bankruptcy_price",
        "fee_usd",
    }
)


def scaled_ms(seconds: Decimal, scale: Decimal) -> int:
    """Return a duration of the policy in ms of the engine's clock."""
    return int(seconds * scale * 1000)


class Issuer:
    """Numbers and fills in the commands of one decision."""

    def __init__(
        self, subject: Subject, episode: Episode, context: Context, levels: Levels
    ) -> None:
        self.episode = episode
        self.context = context
        self.symbols = subject.symbols
        self._subject = subject
        account = subject.account
        policy = context.reference.policy
        expires = context.now + scaled_ms(policy.expire_seconds, policy.time_scale)
        self._shared: dict[str, Any] = {
            "account_id": account.account_id,
            "mode": account.mode,
            "position": subject.position,
            "band": levels.band(subject.ratio),
            "ratio": subject.ratio,
            "adjusted_equity": subject.adjusted_equity,
            "maintenance_margin": subject.maintenance_margin,
            "liquidation_fee": subject.liquidation_fee,
            "cause": context.cause,
            "decided_at": context.now,
            "expires_at": expires,
        }
        self._view: dict[str, Any] = {}
        self._view_of: tuple[str, ...] | None = None

    def stale(self, symbols: Iterable[str] | None = None) -> tuple[str, ...]:
        """PX-4: return those of the prices used that are stale."""
        policy = self.context.reference.policy
        used = self.symbols if symbols is None else symbols
        return self.context.prices.stale(used, policy, self.context.now)

    def issue(
        self,
        model: type[_Command],
        rules: tuple[str, ...],
        symbols: tuple[str, ...] | None = None,
        **own: Any,
    ) -> _Command:
        """Return the episode's next command; `symbols` when it used more prices than the figures."""
        self.episode.sequence += 1
        subject = self._subject
        name = episode_id(subject.account.account_id, self.episode.n, subject.position)
        return model(
            command_id=command_id(name, self.episode.sequence),
            episode_id=name,
            sequence=self.episode.sequence,
            rules=rules,
            **self._shared,
            **self._prices(self.symbols if symbols is None else symbols),
            **own,
        )

    def _prices(self, symbols: tuple[str, ...]) -> dict[str, Any]:
        if symbols != self._view_of:
            book = self.context.prices.prices
            known = {key: book[key] for key in symbols if key in book}
            self._view_of = symbols
            self._view = {
                "prices": {key: found.price for key, found in known.items()},
                "stale_prices": self.stale(symbols),
                "inputs": Inputs(
                    book=dict(sorted(self._subject.account.offsets.items())),
                    ticks={key: found.offset for key, found in known.items()},
                    reference=self.context.reference.sha256,
                ),
            }
        return self._view


def waits_of(command: Reduction) -> list[Wait]:
    """ES-5: return what must come in before the reduction is confirmed."""
    return [
        Wait(
            action.action,
            action.instrument or action.currency or "",
            action.instrument is None,
            action.side,
            action.position_side,
            action.quantity,
        )
        for action in command.actions
    ]


def _amounts(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Read amounts as decimals of any length: figures have up to 50 digits."""
    return {
        key: Decimal(value) if key in _AMOUNTS and isinstance(value, str) else value
        for key, value in pairs
    }


def resent(pending: Pending) -> Command:
    """ES-6: return the same command with `attempt` + 1, and remember it as last sent."""
    raw = json.loads(pending.command, object_pairs_hook=_amounts)
    raw["prices"] = {key: Decimal(value) for key, value in raw["prices"].items()}
    raw["attempt"] += 1
    model = OrderCancel if raw["kind"] == "order_cancel" else Reduction
    command: Command = model.model_validate(raw)
    pending.command = command.model_dump_json()
    pending.attempt = command.attempt
    return command
