"""The whole check over what a run left on its topics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from monitor.exact import CONTEXT, ZERO
from monitor.schema import EpisodeNotice, OrderCancel, Reduction, WarningCommand
from streams.verify.aside import Aside, can_go_aside
from streams.verify.caps import Commanded
from streams.verify.catalog import ReferenceSet, published_sets
from streams.verify.coverage import Cover, PartitionMarks, covered_offsets, read_covers
from streams.verify.crossings import CrossingSearch
from streams.verify.emitted import Emissions, read_commands
from streams.verify.judge import Judge
from streams.verify.ledger import Ledger, read_ledgers, read_letters
from streams.verify.market import Market, read_market
from streams.verify.path import Path
from streams.verify.prices import FloatPrices
from streams.verify.records import ACCOUNT_TOPICS, History
from streams.verify.report import VerifyReport, Violation

__all__ = ["Progress", "check"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

_EVERY = 500
_ASIDE_FROM = 2_000
"""Accounts from which on a second process is worth its start."""


@dataclass(slots=True)
class _Found:
    """What a share of the accounts came to."""

    violations: list[Violation] = field(default_factory=list)
    assessed: int = 0
    excused: Counter[str] = field(default_factory=Counter)
    unjudged: Counter[str] = field(default_factory=Counter)


def _was_in_portfolio(ledger: Ledger) -> bool:
    return any(book is not None and book.settings.mode == "portfolio" for book in ledger.books)


def _subjects(ledger: Ledger, said: Mapping[str | None, object]) -> list[str | None]:
    """Return the account, and every isolated position that it held or that was spoken of."""
    keys = ledger.isolated | {key for key in said if key is not None}
    return [None, *sorted(keys)]


def _silent(_what: str, _done: int, _total: int) -> None:
    """Show nothing."""


def check(
    history: History,
    *,
    prefix: str = "",
    progress: Progress | None = None,
    aside_from: int = _ASIDE_FROM,
) -> VerifyReport:
    """Check every command and every crossing of a recorded run; pure, reads nothing else.

    `prefix` is what dead letters put before the names of the topics that they came from. From
    `aside_from` accounts on half of the accounts are checked in a second process.
    """
    with localcontext(CONTEXT):  # threads start with a context of fewer digits
        return _Check(history, prefix, progress or _silent, aside_from).run()


BY_PORTFOLIO = "the account was in portfolio mode, whose margin the check does not know"
BY_INTEREST = "the monitor itself has booked interest of the account"
"""IN-1: it stands between the account's events, and commands do not say how far it had come."""


class _Check:
    def __init__(self, history: History, prefix: str, progress: Progress, aside_from: int) -> None:
        self.history, self.prefix, self.progress = history, prefix, progress
        self.aside_from = aside_from
        self.report = VerifyReport()

    def run(self) -> VerifyReport:
        report, history = self.report, self.history
        report.ticks = len(history.of("ticks"))
        report.account_events = sum(len(history.of(topic)) for topic in ACCOUNT_TOPICS)
        sets, faults = published_sets(history.of("reference"))
        for fault in faults:
            report.notes.append(fault)
        emissions = read_commands(history)
        self._count(emissions)
        report.add(emissions.violations)
        if not sets:
            if report.commands:
                fault = f"{sum(report.commands.values())} commands"
                report.add([Violation("inputs", "", "a complete reference set", f"none, {fault}")])
            return report
        self.progress("reading ticks", 0, 1)
        market = read_market(history.of("ticks"), sets[-1].policy)
        for reason, count in market.refused.items():
            report.notes.append(f"{count} ticks are not valid: {reason}")
        if market.dropped:
            report.notes.append(
                f"{len(market.dropped)} ticks dropped as older (PX-5) or held (PX-6)"
            )
        prices = FloatPrices(market)
        covers, faults = read_covers(history.of("heartbeats"), prices)
        report.notes += faults
        if not covers:
            report.notes.append("no heartbeat covers any tick: every crossing is excused")
        self.progress("reading accounts", 0, 1)
        letters = read_letters(history.of("dead-letters"), self.prefix)
        report.dead_letters = letters.by_reason
        ledgers, wrong = read_ledgers(history, sets[-1], letters, covered_offsets(covers))
        report.add(wrong)
        report.accounts = len(ledgers)
        self._go_through(emissions, ledgers, covers, market, prices, sets)
        report.violations.sort(key=lambda violation: violation.rule != "crossing")
        return report

    def _go_through(
        self,
        emissions: Emissions,
        ledgers: dict[str, Ledger],
        covers: dict[int, list[Cover]],
        market: Market,
        prices: FloatPrices,
        sets: Sequence[ReferenceSet],
    ) -> None:
        """Judge the commands of every account, then search its way for crossings."""
        by_hash = {one.sha256: one for one in sets}
        commanded = Commanded(emissions.all())
        workers = {cover.worker for spans in covers.values() for cover in spans}
        self.report.add(commanded.beyond(sets[-1].policy.symbol_caps, len(workers)))
        charged = {record.key for record in self.history.of("interest")}
        accounts = list(ledgers)
        total = len(accounts)
        for account in emissions.by_account.keys() - ledgers.keys():
            count = sum(len(own) for own in emissions.by_account[account].values())
            found = f"{count} commands"
            self.report.add([Violation("inputs", account, "a known account", found)])

        def share(part: int, parts: int) -> _Found:
            """Take every `parts`-th account from `part` on."""
            search = CrossingSearch(market, prices, sets, commanded)
            found = _Found(excused=search.excused)
            marks: dict[int, PartitionMarks] = {}
            for done in range(part, total, parts):
                if part == 0 and done % _EVERY < parts:
                    self.progress("commands and crossings", done, total)
                ledger = ledgers[accounts[done]]
                said = emissions.by_account.get(accounts[done], {})
                if accounts[done].encode() in charged:
                    found.unjudged[BY_INTEREST] += sum(len(own) for own in said.values())
                    continue
                if _was_in_portfolio(ledger):
                    found.unjudged[BY_PORTFOLIO] += sum(len(own) for own in said.values())
                    continue
                spans = covers.get(ledger.partition, [])
                if ledger.partition not in marks:
                    marks[ledger.partition] = PartitionMarks(spans)
                for key in _subjects(ledger, said):
                    judge = Judge(ledger, market, by_hash, commanded, key)
                    judge.judge(said.get(key, []))
                    found.violations += judge.violations
                    found.assessed += judge.assessed
                    found.unjudged.update(judge.unjudged)
                    if prices.ticks:
                        own = marks[ledger.partition]
                        search.search(Path(ledger, judge.turns, spans, own, prices, key))
            found.violations += search.violations
            found.assessed += search.assessed
            return found

        if total >= self.aside_from and can_go_aside():
            other = Aside(lambda: share(1, 2))
            halves = [share(0, 2), other.result()]
        else:
            halves = [share(0, 1)]
        self.progress("commands and crossings", total, total)
        for half in halves:
            self.report.add(half.violations)
            self.report.assessed += half.assessed
            self.report.crossings_excused += half.excused
            self.report.unjudged += half.unjudged

    def _count(self, emissions: Emissions) -> None:
        report = self.report
        report.duplicates, report.resends = emissions.duplicates, emissions.resends
        saved: set[str] = set()
        shortfalls: dict[tuple[str, str | None], Decimal] = {}
        for decision in emissions.all():
            command = decision.command
            report.commands[command.kind] += 1
            if isinstance(command, WarningCommand):
                report.notices[f"warning {command.state}"] += 1
                report.crossings_answered += command.state != "cleared"
            elif isinstance(command, OrderCancel):
                report.cancels[command.reason] += 1
                report.crossings_answered += command.reason == "ES-4"
            elif isinstance(command, Reduction):
                report.reductions[command.phase] += 1
                report.crossings_answered += 1
            elif isinstance(command, EpisodeNotice):
                report.notices[command.state] += 1
                if command.state == "cancel_sufficient":
                    saved.add(command.account_id)
                if command.state == "bankrupt":
                    subject = (command.account_id, command.position)
                    shortfalls[subject] = command.shortfall or ZERO
        report.episodes_opened = report.notices["opened"]
        report.episodes_closed = report.notices["closed"]
        report.saved_by_cancel = len(saved)
        report.bankrupt_accounts = len({account for account, _ in shortfalls})
        report.shortfall = sum(shortfalls.values(), ZERO)
