"""Whether every command follows from the inputs that it carries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from monitor.schema import EpisodeNotice, Reduction
from streams.verify.assessing import assess
from streams.verify.book import Book
from streams.verify.caps import Commanded
from streams.verify.catalog import ReferenceSet
from streams.verify.compare import close_to, reduction_differences, shown
from streams.verify.context import context_lines
from streams.verify.cuts import cut_step, past_caps, steps_like
from streams.verify.emitted import Decision
from streams.verify.expected import expected_tokens
from streams.verify.figures import Figures, Unpriced, nothing_there
from streams.verify.funding import short_reasons
from streams.verify.group import Group, Token, spoken, token_of
from streams.verify.inputs import Moment, moment_of
from streams.verify.ledger import Ledger
from streams.verify.market import Market, Quotes
from streams.verify.report import Violation
from streams.verify.standing import Standing, advanced, after_stuck, seconds
from streams.verify.tables import band_of

__all__ = ["Judge", "Turn"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One assessment that spoke: where it stood, and how the episode stands after it."""

    version: int
    ticks: tuple[int, int] | None
    """Lowest and highest tick offset at which all prices were those it names; None: it names none."""
    after: Standing
    waiting: bool
    """Its book held events that waited for one before them."""


class Judge:
    """Judges the commands of one account, or of one isolated position, in their order."""

    def __init__(
        self,
        ledger: Ledger,
        market: Market,
        sets: Mapping[str, ReferenceSet],
        commanded: Commanded,
        key: str | None = None,
    ) -> None:
        self.commanded = commanded
        self.ledger, self.market, self.sets, self.key = ledger, market, sets, key
        self.violations: list[Violation] = []
        self.turns: list[Turn] = []
        self.unjudged: Counter[str] = Counter()
        self.assessed = 0
        self.standing = Standing(key=key)
        self.attempts: dict[str, int] = {}

    def judge(self, decisions: list[Decision]) -> None:
        """Judge every decision; fills `violations`, `turns` and `unjudged`."""
        self.attempts = {d.command.command_id: len(d.appended) for d in decisions}
        before: Decision | None = None
        for together in _assessments(decisions):
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
        fullest = max(decisions, key=lambda decision: len(decision.command.prices))
        moment = moment_of(fullest.command, self.market, reference)
        for expected, found in moment.faults:
            self._say(first, "prices", expected, found)
        every = moment.all_quotes(self.market)
        figures = self._assessed(book, every if self.key is not None else moment.quotes, reference)
        if isinstance(figures, Unpriced):
            self._unpriced(first, figures.missing, version)
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
            every,
            self.market,
            figures,
            self.key,
            short_reasons(first.command, self.ledger, version),
            self.commanded.busy(first.command.decided_at),
        )
        self._all_prices(group, moment)
        for decision in decisions:
            self._figures(decision, group)
        self._emission(group)
        self.unjudged.update(group.unjudged)
        ticks = (moment.first, moment.last) if moment.quotes else None
        self.turns.append(Turn(version, ticks, self.standing, waits))

    def _assessed(self, book: Book, quotes: Quotes, reference: ReferenceSet) -> Figures | Unpriced:
        if self.key is not None and self.key not in book.isolated:
            return nothing_there()  # no price is needed to see that
        self.assessed += 1
        figures = assess(book, quotes, reference)
        return figures if isinstance(figures, Unpriced) else figures.of(self.key)

    def _unpriced(self, first: Decision, missing: tuple[str, ...], version: int) -> None:
        named = sorted(first.command.prices)
        self._say(
            first,
            "prices",
            f"the prices of {list(missing)} too",
            f"prices of {named}",
            (self.ledger.describe(version),),
        )

    def _all_prices(self, group: Group, moment: Moment) -> None:
        """Every price that went into the figures is named, and by the first route there is."""
        first = group.decisions[0]
        for key in moment.better_routes(group.figures, self.market, group.reference):
            self._say(first, "prices", f"PX-2 to use {key}", f"{sorted(first.command.prices)}")
        missing = group.figures.used - first.command.prices.keys()
        if missing:
            self._unpriced(first, tuple(sorted(missing)), group.version)

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
        stale = sorted(group.moment.stale & command.prices.keys())
        given = sorted(command.stale_prices)
        bare = sorted({key.rpartition("/")[0] for key in stale})
        pairs.append(("stale_prices", stale, given, given in (stale, bare)))
        named, agreed = command.prices, group.moment.quotes
        pairs.append(("prices", dict(agreed), named, named.items() <= agreed.items()))
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
        waits = self.standing.waiting_cancels(group.book, group.version, group.now)
        if group.under("liquidation") and waits:
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
            for pending in self.standing.commanded
            if pending.unconfirmed(group.book)
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
        plan = group.planned(command)
        if plan is None or plan.step is None:
            return
        steps = steps_like(plan)
        differences = reduction_differences(plan.step, command)
        if differences:
            cut = cut_step(plan, command, group.reference.policy.symbol_caps)
            steps += [] if cut is None else [cut]
            if any(not reduction_differences(step, command) for step in steps):
                differences = []
        elif (name := past_caps(plan, group.reference.policy.symbol_caps)) is not None:
            differences.append((f"a step cut to the cap of {name}", "the whole of it"))
        if command.step != self.standing.steps + 1:
            differences.append((f"step {self.standing.steps + 1}", f"step {command.step}"))
        if differences:
            self._say(
                decision,
                "reduction",
                "; ".join(mine for mine, _ in differences),
                "; ".join(theirs for _, theirs in differences),
                (*self._context(group), *(f"tried {line}" for line in plan.ranked[:12])),
            )


def _assessments(decisions: list[Decision]) -> Iterator[list[Decision]]:
    """Yield the decisions of one assessment together: one time, one book, one set of prices.

    A step may name more prices than the others: those of a quote that it trades through.
    """
    together: list[Decision] = []
    for decision in decisions:
        if together and not _same_assessment(together[0], decision):
            yield together
            together = []
        together.append(decision)
    if together:
        yield together


def _same_assessment(one: Decision, other: Decision) -> bool:
    a, b = one.command, other.command
    if a.decided_at != b.decided_at or a.inputs.reference != b.inputs.reference:
        return False
    first, second = a.inputs.ticks, b.inputs.ticks
    narrow, wide = (first, second) if len(first) <= len(second) else (second, first)
    return a.inputs.book == b.inputs.book and narrow.items() <= wide.items()


def _is_stuck(decision: Decision) -> bool:
    command = decision.command
    return isinstance(command, EpisodeNotice) and command.state == "stuck"
