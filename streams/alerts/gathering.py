"""Many accounts at once come as one message: singles first, then a digest a stretch."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from dataclasses import dataclass, field
from decimal import Decimal

from monitor.exact import ZERO
from monitor.schema import EpisodeNotice, Reduction
from monitor.schema.alerts import DigestLimit
from streams.alerts.matching import is_good_news, state_of
from streams.alerts.watcher import Alert

__all__ = ["Digest", "Gatherer"]

WORST = 10


@dataclass(slots=True)
class Digest:
    """What many alerts of one rule say together; counts are of accounts."""

    rule_id: str
    began: int
    """Epoch ms of the first of them."""
    alerts: int = 0
    held: bool = False
    """They waited for the end of quiet hours."""
    by_state: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """(kind, state) → accounts."""
    accounts: set[str] = field(default_factory=set)
    reduced_usd: Decimal = ZERO
    """Notional of all reductions."""
    _shortfalls: dict[str, Decimal] = field(default_factory=dict)
    _commands: set[str] = field(default_factory=set)
    _worst: dict[str, Alert] = field(default_factory=dict)
    """Account → its lowest ratio, never many more than `WORST`."""

    @property
    def shortfall_usd(self) -> Decimal:
        """What is missing in all bankrupt episodes, each as last said."""
        return sum(self._shortfalls.values(), ZERO)

    @property
    def worst(self) -> list[Alert]:
        """The accounts with the lowest ratios, lowest first; what is better news is left out."""
        return heapq.nsmallest(WORST, self._worst.values(), key=_by_ratio)

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """(kind, state) → number of accounts."""
        return Counter({what: len(accounts) for what, accounts in self.by_state.items()})

    def add(self, alert: Alert) -> None:
        """Take one more alert in."""
        command = alert.command
        self.alerts += 1
        self.held = self.held or alert.held
        self.accounts.add(command.account_id)
        what = command.kind, state_of(command)
        self.by_state.setdefault(what, set()).add(command.account_id)
        if isinstance(command, EpisodeNotice) and command.shortfall is not None:
            self._shortfalls[command.episode_id] = command.shortfall
        # A re-send is the same order again, not more of it.
        if isinstance(command, Reduction) and command.command_id not in self._commands:
            self._commands.add(command.command_id)
            self.reduced_usd += sum((action.notional_usd for action in command.actions), ZERO)
        self._rank(alert)

    def _rank(self, alert: Alert) -> None:
        account = alert.command.account_id
        known = self._worst.get(account)
        if is_good_news(alert.command):
            return
        if known is None or _by_ratio(alert) <= _by_ratio(known):
            self._worst[account] = alert
        if len(self._worst) > 2 * WORST:
            kept = self.worst
            self._worst = {one.command.account_id: one for one in kept}


class Gatherer:
    """One rule's alerts on one channel. The limit is passed in, since the rule may change.

    The first `more_than` accounts within `within_seconds` are told singly and at once; from then on
    alerts are gathered, and at the end of each stretch come as one digest, until a stretch has no
    more than `more_than` accounts. What a short last stretch holds is told singly.
    """

    def __init__(self, rule_id: str) -> None:
        self._rule_id = rule_id
        self._singles: deque[tuple[int, str]] = deque()
        self._gathered: Digest | None = None
        self._few: list[Alert] = []
        """The alerts of the stretch, as long as its accounts are few."""
        self._ends: int | None = None
        self._limit = DigestLimit()

    @property
    def due_at(self) -> int | None:
        """When the stretch that is being gathered ends (epoch ms); None: nothing is gathered."""
        return self._ends

    @property
    def empty(self) -> bool:
        """Whether nothing waits to be told."""
        return self._gathered is None

    def offer(self, alert: Alert, now: int) -> bool:
        """Take an alert; True: tell it now, singly."""
        self._limit = alert.rule.digest
        stretch = self._limit.within_seconds * 1000
        if self._ends is None:
            while self._singles and self._singles[0][0] <= now - stretch:
                self._singles.popleft()
            account = alert.command.account_id
            if len({*(one for _, one in self._singles), account}) <= self._limit.more_than:
                self._singles.append((now, account))
                return True
            self._ends = now + stretch
        self._gather(alert)
        return False

    def due(self, now: int) -> Digest | list[Alert]:
        """Return what is to be told now that the stretch has ended; an empty list: not yet."""
        if self._ends is None or now < self._ends:
            return []
        return self._close(now)

    def flush(self, now: int) -> Digest | list[Alert]:
        """Return what waits, whether or not its stretch has ended."""
        return self._close(now)

    def _gather(self, alert: Alert) -> None:
        if self._gathered is None:
            self._gathered = Digest(self._rule_id, began=alert.at)
        self._gathered.add(alert)
        if len(self._gathered.accounts) <= self._limit.more_than and len(self._few) < 1000:
            self._few.append(alert)

    def _close(self, now: int) -> Digest | list[Alert]:
        digest, few = self._gathered, self._few
        self._gathered, self._few = None, []
        many = digest is not None and (
            len(digest.accounts) > self._limit.more_than or digest.alerts > len(few)
        )
        if digest is not None and many:
            # A crash goes on: the next stretch begins at once.
            self._ends = now + self._limit.within_seconds * 1000
            return digest
        self._ends = None
        self._singles.clear()
        self._singles.extend((now, alert.command.account_id) for alert in few)
        return few


def _by_ratio(alert: Alert) -> tuple[bool, Decimal]:
    ratio = alert.command.ratio
    return (ratio is None, ratio if ratio is not None else ZERO)
