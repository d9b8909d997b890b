"""Rules by which people are told of commands: the records of the topic `alert-rules`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, field_validator, model_validator

from monitor.schema.base import Identifier, Message, NonNegative, Positive
from monitor.schema.commands import Band, CancelReason, EpisodeNotice, Phase, WarningCommand

__all__ = [
    "CHANNEL_NAME",
    "STATES",
    "AccountGroup",
    "AlertKind",
    "AlertRule",
    "ChannelName",
    "DeletedRule",
    "DigestLimit",
    "QuietHours",
    "RepeatPolicy",
    "RuleId",
    "Weekday",
]

AlertKind = Literal["warning", "order_cancel", "reduction", "auto_exchange", "episode"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

CHANNEL_NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
ChannelName = Annotated[str, Field(pattern=CHANNEL_NAME)]
RuleId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
_Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")


def _states_of(model: type[Message]) -> frozenset[str]:
    return frozenset(get_args(model.model_fields["state"].annotation))


STATES: dict[AlertKind, frozenset[str]] = {
    "warning": _states_of(WarningCommand),
    "order_cancel": frozenset(get_args(CancelReason)),
    "reduction": frozenset(get_args(Phase)) - {"auto_exchange"},
    "auto_exchange": frozenset({"auto_exchange"}),
    "episode": _states_of(EpisodeNotice),
}
"""Kind → what `states` may name of it: a cancel's reason and a reduction's phase count as states."""


class _Rule(Message):
    # A mistyped name would silently make another rule.
    model_config = ConfigDict(frozen=True, extra="forbid")


class AccountGroup(_Rule):
    """An account belongs when one of the three names it; an empty group is every account."""

    ids: tuple[Identifier, ...] = ()
    globs: tuple[Identifier, ...] = ()
    """Patterns with `*`, `?` and `[…]`; upper and lower case differ."""
    main_accounts: tuple[Identifier, ...] = ()
    """Main accounts: they themselves and their sub-accounts."""

    @property
    def everyone(self) -> bool:
        """Whether nobody is left out."""
        return not (self.ids or self.globs or self.main_accounts)


class QuietHours(_Rule):
    """Hours by the wall clock of a place, over midnight when `end` is not after `start`."""

    timezone: str
    start: _Clock
    end: _Clock
    days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = get_args(Weekday)
    """Days on which they begin."""

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            if not _ZONE.fullmatch(value):
                raise ValueError
            ZoneInfo(value)
        except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
            raise ValueError(f"{value!r} is no time zone such as Europe/Zurich or UTC") from None
        return value


class RepeatPolicy(_Rule):
    """When an account is told of again in one episode, in the same kind."""

    when: Literal["worse", "always", "never"] = "worse"
    step: Positive = Decimal("0.1")
    """`worse`: the ratio must have fallen by so much since it was last told (0.1: 10 %)."""


class DigestLimit(_Rule):
    """More than `more_than` accounts within `within_seconds` come as one message."""

    more_than: Annotated[int, Field(ge=1, le=1000)] = 5
    within_seconds: Annotated[int, Field(ge=1, le=3600)] = 30


class AlertRule(_Rule):
    """Which commands are told, to whom and when; the record's key is the rule's id."""

    channels: Annotated[tuple[ChannelName, ...], Field(min_length=1)]
    """Names; the addresses stand in the environment of `liqmon alerts run` only."""
    kinds: Annotated[tuple[AlertKind, ...], Field(min_length=1)] = get_args(AlertKind)
    states: tuple[str, ...] = ()
    """Limits each kind of which it names a state, a reason or a phase (`STATES`)."""
    bands: tuple[Band, ...] = ()
    """Empty: all. Good news is told where its matter was told."""
    accounts: AccountGroup = AccountGroup()
    minimum_notional_usd: NonNegative | None = None
    """Of a reduction what it trades, else the account's position value; unknown passes."""
    quiet: tuple[QuietHours, ...] = ()
    repeat: RepeatPolicy = RepeatPolicy()
    digest: DigestLimit = DigestLimit()
    enabled: bool = True

    @model_validator(mode="after")
    def _states_belong(self) -> AlertRule:
        known = frozenset().union(*(STATES[kind] for kind in self.kinds))
        strange = [state for state in self.states if state not in known]
        if strange:
            raise ValueError(
                f"states: {', '.join(strange)}: none of the kinds {', '.join(self.kinds)} has it; "
                f"they have {', '.join(sorted(known))}"
            )
        return self


class DeletedRule(Message):
    """Takes a rule off the topic, as a null record does."""

    deleted: Literal[True]
