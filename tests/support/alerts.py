"""Commands and rules as the tests of alerts need them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from monitor.schema import EpisodeNotice, OrderCancel, Reduction, WarningCommand
from monitor.schema.alerts import AlertRule
from streams.alerts.words import Text
from tests.support.outputs import reduction, warning

__all__ = ["AT", "FakeChannel", "cancel", "episode", "reduced", "rule", "warned"]

AT = 1_700_000_000_000
"""Tuesday 2023-11-14 22:13:20 UTC, when the commands of `tests.support.outputs` are decided."""


def rule(**changes: Any) -> AlertRule:
    """Return a rule that tells the channel `desk` everything, but for the changes."""
    return AlertRule.model_validate({"channels": ["desk"], **changes})


def _ids(account: str, sequence: int, episode_number: int, kind: str) -> dict[str, Any]:
    return {
        "account_id": account,
        "episode_id": f"{account}#{episode_number}",
        "sequence": sequence,
        "command_id": f"{kind}-{account}-{episode_number}-{sequence}",
    }


def warned(
    account: str = "acc-1", sequence: int = 1, episode_number: int = 1, **changes: Any
) -> WarningCommand:
    """Return a warning of an account's episode."""
    return warning(
        sequence, **{**_ids(account, sequence, episode_number, "w"), **_good(changes), **changes}
    )


def reduced(
    account: str = "acc-1", sequence: int = 1, episode_number: int = 1, **changes: Any
) -> Reduction:
    """Return a reduction of 30,000 USD."""
    return reduction(sequence, **{**_ids(account, sequence, episode_number, "r"), **changes})


def cancel(
    account: str = "acc-1", sequence: int = 1, episode_number: int = 1, **changes: Any
) -> OrderCancel:
    """Return a cancel of two orders by OC-1."""
    given = {"reason": "OC-1", "order_ids": ["o-1", "o-2"], **changes}
    return OrderCancel.model_validate(
        {
            **_common(),
            "kind": "order_cancel",
            **_ids(account, sequence, episode_number, "c"),
            **given,
        }
    )


def episode(
    state: str,
    account: str = "acc-1",
    sequence: int = 1,
    episode_number: int = 1,
    **changes: Any,
) -> EpisodeNotice:
    """Return a notice of an account's episode."""
    given = {"state": state, "band": "liquidation", "ratio": "0.9", **_good({"state": state})}
    return EpisodeNotice.model_validate(
        {
            **_common(),
            "kind": "episode",
            **_ids(account, sequence, episode_number, "e"),
            **given,
            **changes,
        }
    )


def _common() -> dict[str, Any]:
    return warning(1).model_dump(mode="json", exclude={"kind", "state", "level"})


def _good(changes: dict[str, Any]) -> dict[str, Any]:
    """What is over is said at a ratio that is none to worry about."""
    over = changes.get("state") in ("cleared", "closed")
    return {"band": "normal", "ratio": "3.2"} if over else {}


class FakeChannel:
    """Answers with `reasons` in turn (None: taken), then takes everything."""

    service = "Fake"

    def __init__(self, name: str = "desk", reasons: Iterable[str | None] = ()) -> None:
        self.name = name
        self.taken: list[Text] = []
        self.attempts = 0
        self._reasons = iter(reasons)

    async def send(self, text: Text) -> str | None:
        self.attempts += 1
        reason = next(self._reasons, None)
        if reason is None:
            self.taken.append(text)
        return reason
