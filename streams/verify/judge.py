"""Whether every command follows from the inputs that it carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby

from monitor.schema import EpisodeNotice, Reduction
from streams.verify.catalog import ReferenceSet
from streams.verify.compare import close_to, reduction_differences, shown
from streams.verify.context import context_lines
from streams.verify.emitted import Decision
from streams.verify.expected import Group, Token, expected_tokens, spoken, token_of
from streams.verify.figures import Unpriced, assess
from streams.verify.inputs import moment_of
from streams.verify.ledger import Ledger
from streams.verify.market import Market
from streams.verify.report import Violation
from streams.verify.standing import Standing, advanced, after_stuck, seconds
from streams.verify.tables import band_of

__all__ = ["Judge", "Turn"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One assessment that spoke: where it stood, and how the episode stands after it."""

    version: int
    first_tick: int
    """Lowest and highest tick offset at which all prices were those it names."""
    last_tick: int
    after: Standing
    waiting: bool
    """Its book held events that waited for one before them."""


class Judge:
    """Judges one account's commands in their order."""

    def __init__(self, ledger: Ledger, market: Market, sets: Mapping[str, ReferenceSet]) -> None:
        self.ledger, self.market, self.sets = ledger, market, sets
        self.violations: list[Violation] = []
        self.turns: list[Turn] = []
        self.assessed = 0
        self.standing = Standing()
        self.attempts: dict[str, int] = {}

    def judge(self, decisions: list[Decision]) -> None:
        """Judge every decision; fills `violations` and `turns`."""

        def same_assessment(decision: Decision) -> tuple[object, ...]:
            inputs = decision.command.inputs
            return (
                decision.command.decided_at,
                sorted(inputs.book.items()),
                sorted(inputs.ticks.items()),
                inputs.reference,
            )

        self.attempts = {d.command.command_id: len(d.appended) for d in decisions}
        before: Decision | None = None
        for _, group in groupby(decisions, key=same_assessment):
            together = list(group)
            self._order(before, together[0])
            self._assessment(together)
            before = together[-1]

    def _say(
        self,
        decision: Decision,
        rule: str,
        expected: str,
        found: str,
        detail: tuple[str, ...] = (),
    ) -> None:
        command = decision.command
        self.violations.append(
            Violation(
                rule,
                command.account_id,
                expected,
                found,
                command.command_id,
                decision.where,
                detail,
            )
        )

    def _order(self, before: Decision | None, decision: Decision) -> None:
        if before is None:
            return
        was, now = before.command, decision.command
        if now.decided_at < was.decided_at:
            self._say(
                decision, "order", f"decided_at not below {was.decided_at}", str(now.decided_at)
            )
        for topic, offset in was.inputs.book.items():
            if now.inputs.book.get(topic, -1) < offset:
                self._say(
                    decision,
                    "order",
                    f"a book not older than that of sequence {was.sequence}: {topic} {offset}",
                    f"{topic} {now.inputs.book.get(topic)}",
                )

    def _assessment(self, decisions: list[Decision]) -> None:
        first = decisions[0]
        inputs = first.command.inputs
        reference = self.sets.get(inputs.reference)
        if reference is None:
            self._say(first, "inputs", f"one of the sets {sorted(self.sets)}", inputs.reference)
            return
        book = self.ledger.book_at(inputs.book, reference)
        version = self.ledger.version(inputs.book)
        if book is None:
            self._say(first, "inputs", "a book of a known account", f"offsets {inputs.book}")
            return
        moment = moment_of(first.command, self.market, reference)
        for expected, found in moment.faults:
            self._say(first, "prices", expected, found)
        figures = assess(book, moment.quotes, reference)
        self.assessed += 1
        if isinstance(figures, Unpriced):
            self._say(
                first,
                "prices",
                f"the prices of {list(figures.missing)} too",
                f"prices of {sorted(first.command.prices)}",
                (self.ledger.describe(version),),
            )
            return
        lost = self.ledger.hole is not None and version == len(self.ledger.entries)
        waits = lost or self.ledger.waits(inputs.book)
        group = Group(
            decisions,
            first.command.decided_at,
            book,
            version,
            waits,
            reference,
            moment,
            self.market,
            figures,
        )
        for key in moment.better_routes(figures, self.market):
            self._say(first, "prices", f"PX-2 to use {key}", f"{sorted(first.command.prices)}")
        for decision in decisions:
            self._figures(decision, group)
        self._emission(group)
        self.turns.append(Turn(version, moment.first, moment.last, self.standing, waits))

    def _figures(self, decision: Decision, group: Group) -> None:
        command, figures = decision.command, group.figures
        policy = group.reference.policy
        expires = command.decided_at + seconds(policy.expire_seconds, policy)
        pairs: list[tuple[str, object, object, bool]] = [
            ("ratio", figures.ratio, command.ratio, close_to(figures.ratio, command.ratio)),
        ]
        for name in ("adjusted_equity", "maintenance_margin", "liquidation_fee"):
            mine, theirs = getattr(figures, name), getattr(command, name)
            pairs.append((name, mine, theirs, close_to(mine, theirs)))
        band = band_of(figures.ratio, policy, group.mode)
        pairs.append(("band", band, command.band, band == command.band))
        pairs.append(("mode", group.mode, command.mode, group.mode == command.mode))
        pairs.append(("expires_at", expires, command.expires_at, expires == command.expires_at))
        stale = sorted(group.moment.stale)
        given = sorted(command.stale_prices)
        bare = sorted({key.rpartition("/")[0] for key in stale})
        pairs.append(("stale_prices", stale, given, given in (stale, bare)))
        together = group.decisions[0].command.prices
        pairs.append(("prices", together, command.prices, together == command.prices))
        if len(decision.appended) > policy.attempts:
            pairs.append(("attempts", policy.attempts, len(decision.appended), False))
        wrong = [(name, mine, theirs) for name, mine, theirs, good in pairs if not good]
        if wrong:
            self._say(
                decision,
                "figures",
                ", ".join(f"{name} {shown(mine)}" for name, mine, _ in wrong),
                ", ".join(f"{name} {shown(theirs)}" for name, _, theirs in wrong),
                self._context(group),
            )

    def _context(self, group: Group) -> tuple[str, ...]:
        return tuple(context_lines(group, self.standing, self.ledger.describe(group.version)))

    # What one assessment says --------------------------------------------------------------

    def _emission(self, group: Group) -> None:
        found = [token_of(d.command) for d in group.decisions if not _is_stuck(d)]
        for decision in filter(_is_stuck, group.decisions):
            self._stuck(decision, group)
        expected, kept = self._wanted(group, found)
        if kept != expected and group.now in self.standing.expiries():
            # Whether an action is past its expiry at that very millisecond is left open.
            other = replace(group, now=group.now + 1)
            later, rest = self._wanted(other, found)
            if rest == later:
                group, expected, kept = other, later, rest
        if kept != expected:
            self._say(
                group.decisions[0],
                "decision",
                spoken(expected),
                spoken(found),
                (
                    *self._context(group),
                    *(group.plan.ranked[:12] if group.plan is not None else ()),
                ),
            )
        for decision in group.decisions:
            self._details(decision, group)
            self.standing = advanced(self.standing, decision.command)
        waits = self.standing.waiting_cancel(group.book, group.version, group.now)
        if group.under("liquidation") and waits is not None:
            # A pending OC-1 cancel that names every order is the stage's cancel.
            self.standing = replace(self.standing, cancelled=True)
        stage_over = group.over("liquidation_exit") and self.standing.reduced
        if stage_over and not self.standing.waiting(group.book, group.version, group.now):
            self.standing = replace(self.standing, cancelled=False, reduced=False, uncertain=False)

    def _wanted(self, group: Group, found: list[Token]) -> tuple[list[Token], list[Token]]:
        """Return what the assessment must say, and what it said without what it only may say."""
        expected, optional = expected_tokens(group, self.standing)
        kept = list(found)
        for token in optional:
            if token in kept and token not in expected:
                kept.remove(token)
        return expected, kept

    def _stuck(self, decision: Decision, group: Group) -> None:
        """ES-6: only after the last attempt's deadline, once for each pending action."""
        policy = group.reference.policy
        wait = seconds(policy.confirm_seconds, policy) * policy.attempts
        ripe = [
            pending
            for pending in (self.standing.cancel, self.standing.reduction)
            if pending is not None
            and pending.stuck_at is None
            and not pending.over(group.book, group.version, group.now)
            and group.now >= pending.command.decided_at + wait
            and self.attempts.get(pending.command.command_id) == policy.attempts
        ]
        if ripe:
            self.standing = after_stuck(self.standing, ripe[0], group.version)
            return
        self._say(
            decision,
            "decision",
            f"an action pending for {wait} ms, sent {policy.attempts} times and not stuck before",
            f"stuck at {group.now}",
            self._context(group),
        )

    # What one command says ------------------------------------------------------------------

    def _details(self, decision: Decision, group: Group) -> None:
        command = decision.command
        if isinstance(command, EpisodeNotice):
            stated = command.state != "bankrupt" or close_to(group.shortfall, command.shortfall)
            if not stated:
                self._say(
                    decision,
                    "figures",
                    f"shortfall {shown(group.shortfall)}",
                    f"shortfall {shown(command.shortfall)}",
                    self._context(group),
                )
        if not isinstance(command, Reduction):
            return
        if group.moment.stale:
            self._say(
                decision,
                "decision",
                f"no reduction on stale prices {sorted(group.moment.stale)}",
                f"phase {command.phase}",
                self._context(group),
            )
        if group.plan is None or group.plan.step is None:
            return
        step = group.plan.step
        differences = reduction_differences(step, command)
        if command.step != self.standing.steps + 1:
            differences.append((f"step {self.standing.steps + 1}", f"step {command.step}"))
        if differences:
            self._say(
                decision,
                "reduction",
                "; ".join(mine for mine, _ in differences),
                "; ".join(theirs for _, theirs in differences),
                (*self._context(group), *(f"tried {line}" for line in group.plan.ranked[:12])),
            )


def _is_stuck(decision: Decision) -> bool:
    command = decision.command
    return isinstance(command, EpisodeNotice) and command.state == "stuck"
