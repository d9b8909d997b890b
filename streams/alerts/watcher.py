"""What each rule has told of each account: repeats, quiet hours, arming again after a recovery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from monitor.schema import Command
from monitor.schema.alerts import AlertRule
from streams.alerts.copies import Copies
from streams.alerts.matching import (
    UNKNOWN,
    Facts,
    asks_for_facts,
    is_good_news,
    recovers,
    severity,
    subject_of,
    verdict,
)
from streams.alerts.quiet import is_quiet

__all__ = ["Alert", "Suppressed", "Watcher"]

Suppressed = Literal["copy", "repeat", "quiet", "too_old", "unknown_main_account", "other_rule"]
"""Why a command that a rule is about is not told."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A command that is to be told, by which rule."""

    rule_id: str
    rule: AlertRule
    command: Command
    at: int
    """Epoch ms (wall) at which it came in."""
    held: bool = False
    """It waited for the end of quiet hours."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What was last said of one subject and kind; `heard`: some of it was delivered."""

    episode_id: str
    ratio: Decimal | None
    severity: int
    heard: bool


_MINUTE_MS = 60_000

_Matter = tuple[str, str]
"""Rule, subject."""


def _ignore(_reason: Suppressed) -> None:
    pass


class Watcher:
    """Decides command by command. `at` is wall time (epoch ms); nothing here reads a clock."""

    def __init__(self, suppressed: Callable[[Suppressed], None] = _ignore) -> None:
        self._suppressed = suppressed
        self._copies = Copies()
        self._told: dict[_Matter, dict[str, _Told]] = {}
        self._held: dict[_Matter, dict[str, Alert]] = {}
        self._looked = -1
        self.rules: Mapping[str, AlertRule] = {}

    def use(self, rules: Mapping[str, AlertRule]) -> None:
        """Go by these rules from now on; what was told by the others is forgotten."""
        self.rules = dict(sorted(rules.items()))
        self._looked = -1
        for known in (self._told, self._held):
            for matter in [matter for matter in known if matter[0] not in rules]:
                del known[matter]

    def asks_for_facts(self, command: Command) -> bool:
        """Whether `feed` needs to know more of the account."""
        return any(asks_for_facts(rule, command) for rule in self.rules.values())

    def feed(
        self, command: Command, at: int, facts: Facts = UNKNOWN, *, too_old: bool = False
    ) -> Alert | None:
        """Return what is to be told of a command: by the first rule, in order of id, that says so.

        A command that is too old is not told, and does not count as told; a recovery still arms.
        """
        if self._copies.repeats(command):
            self._suppressed("copy")
            return None
        found: Alert | None = None
        for rule_id, rule in self.rules.items():
            alert = self._by_rule(rule_id, rule, command, at, facts, too_old=too_old)
            if alert is not None and found is not None:
                self._suppressed("other_rule")
            found = found or alert
        return found

    def released(self, at: int) -> list[Alert]:
        """Return what waited for the end of quiet hours that are over, worst ratio first.

        Quiet hours end on a minute, so there is one look a minute.
        """
        found: list[Alert] = []
        if at // _MINUTE_MS == self._looked:
            return found
        self._looked = at // _MINUTE_MS
        for (rule_id, subject), kinds in list(self._held.items()):
            if is_quiet(self.rules[rule_id].quiet, at):
                continue
            del self._held[rule_id, subject]
            told = self._told.setdefault((rule_id, subject), {})
            for kind, alert in kinds.items():
                if kind in told:
                    told[kind] = replace(told[kind], heard=True)
                found.append(replace(alert, at=at, held=True))
        return sorted(found, key=lambda alert: _ascending(alert.command.ratio))

    def undelivered(self, alert: Alert) -> None:
        """Forget that this was told, so that the next command of its kind is."""
        matter = alert.rule_id, subject_of(alert.command)
        self._told.get(matter, {}).pop(alert.command.kind, None)

    def _by_rule(
        self,
        rule_id: str,
        rule: AlertRule,
        command: Command,
        at: int,
        facts: Facts,
        *,
        too_old: bool,
    ) -> Alert | None:
        matter = rule_id, subject_of(command)
        before = self._told.get(matter, {})
        heard = any(told.heard for told in before.values())
        told_of = bool(before)
        waiting = self._recovered(matter, command) or self._held.get(matter, {})
        answer = verdict(rule, command, facts)
        if answer != "about":
            if answer == "unknown_main_account":
                self._suppressed(answer)
            return None
        if too_old:
            self._suppressed("too_old")
            return None
        if is_good_news(command):
            # Who heard nothing of the matter, or could not have, is not told that it is over.
            silent = told_of and not heard
            limited = bool(rule.bands) or rule.minimum_notional_usd is not None
            if silent or (limited and not heard):
                self._suppressed("quiet" if waiting else "repeat")
                return None
        elif not self._worse(rule, before.get(command.kind), command):
            self._suppressed("repeat")
            return None
        alert = Alert(rule_id, rule, command, at)
        quiet = is_quiet(rule.quiet, at)
        if not is_good_news(command):
            self._remember(matter, command, heard=not quiet)
        if quiet:
            self._held.setdefault(matter, {})[command.kind] = alert
            self._suppressed("quiet")
            return None
        return alert

    def _recovered(self, matter: _Matter, command: Command) -> dict[str, Alert]:
        """Arm again for what a command ends; return what waited to be told of it."""
        ends = recovers(command)
        if ends is None:
            return {}
        told, held = self._told.get(matter, {}), self._held.get(matter, {})
        kinds = ("warning",) if ends == "warning" else tuple({*told, *held})
        for kind in kinds:
            told.pop(kind, None)
        waited = {kind: held.pop(kind) for kind in kinds if kind in held}
        if not told:
            self._told.pop(matter, None)
        if not held:
            self._held.pop(matter, None)
        return waited

    def _worse(self, rule: AlertRule, before: _Told | None, command: Command) -> bool:
        """Whether a command says more than what was told; a new episode always does."""
        if before is None or before.episode_id != command.episode_id:
            return True
        if severity(command) > before.severity:
            return True
        match rule.repeat.when:
            case "always":
                return True
            case "never":
                return False
        if before.ratio is None or command.ratio is None:  # no ratio is infinite (MR-1)
            return before.ratio is None and command.ratio is not None
        return command.ratio <= before.ratio - rule.repeat.step

    def _remember(self, matter: _Matter, command: Command, *, heard: bool) -> None:
        told = self._told.setdefault(matter, {})
        before = told.get(command.kind)
        same = before is not None and before.episode_id == command.episode_id
        told[command.kind] = _Told(
            episode_id=command.episode_id,
            ratio=command.ratio,
            severity=severity(command),
            heard=heard or (same and before is not None and before.heard),
        )


def _ascending(ratio: Decimal | None) -> tuple[bool, Decimal]:
    """Return a sort key: lowest first, none (infinite) last."""
    return (ratio is None, ratio if ratio is not None else Decimal(0))
