"""One decision on one subject, step by step (ES-1 to ES-7)."""

from __future__ import annotations

from decimal import Decimal

from monitor.escalation.context import Context
from monitor.escalation.episode import Episode, Pending
from monitor.escalation.messages import Issuer
from monitor.escalation.rules import Levels
from monitor.escalation.sending import CONVERSION, Sender
from monitor.escalation.subject import Subject
from monitor.reduction import Capped, Plan
from monitor.schema.commands import Command, WarningCommand

__all__ = ["Turn"]


class Turn:
    """Moves an episode on by the figures of its subject."""

    def __init__(self, subject: Subject, episode: Episode, context: Context) -> None:
        self.subject = subject
        self.episode = episode
        self.context = context
        self.levels = Levels.of(context.reference.policy, subject.account.mode)
        self.issuer = Issuer(subject, episode, context, self.levels)
        self.sender = Sender(episode, self.issuer, context)
        self.conversion: Plan | Capped | None = None

    def run(self) -> list[Command]:
        """Return the commands that follow, in order."""
        subject, episode = self.subject, self.episode
        if not self._endangered():
            self.conversion = subject.convert()  # IN-4: none while at or below 1
        if not (episode.open or self._at_or_below(self.levels.warning) or self._due()):
            return []
        episode.not_before, episode.look_again, episode.capped = 0, 0, False
        episode.given_up = [name for name in episode.given_up if name in subject.account.orders]
        self._open()
        self._warn()
        self._begin_stage()
        danger = self._in_danger()
        self.sender.meet_deadlines(self._concerns, danger=danger)
        if danger:
            self._liquidate()
        elif not self._cancel_first():
            self._convert()
        self.sender.send_again(may_reduce=self._may_reduce())
        self._end_stage()
        self._clear_and_close()
        return self.sender.out

    def end(self) -> list[Command]:
        """Close the episode of a subject that is gone; what is pending concerns nothing any more."""
        if self.episode.open:
            self.episode.cancels, self.episode.reduction = [], None
            self._clear_and_close()
        return self.sender.out

    # -- questions ----------------------------------------------------------------------------

    def _at_or_below(self, level: Decimal) -> bool:
        ratio = self.subject.ratio
        return ratio is not None and ratio <= level

    def _endangered(self) -> bool:
        """At or below liquidation, whether or not the stage has begun, or still in it."""
        return self._at_or_below(self.levels.liquidation) or self._in_danger()

    def _in_danger(self) -> bool:
        """In the liquidation stage and not above its exit."""
        return self.episode.liquidation and self._at_or_below(self.levels.liquidation_exit)

    def _due(self) -> bool:
        """Whether orders or debts ask for something, whatever the ratio."""
        return bool(self.subject.cancels) or self.conversion is not None

    def _concerns(self, pending: Pending) -> bool:
        """ES-6: whether what it was sent for still holds at its deadline."""
        if pending.reason == CONVERSION:
            return self.conversion is not None
        if self._in_danger():
            return True
        return any(pending.reason in cancel.rules for cancel in self.subject.cancels) or (
            pending.reason == "IN-5" and any("OC-2" in c.rules for c in self.subject.cancels)
        )

    def _may_reduce(self) -> bool:
        """PX-4: no reduction on a stale price; none for an account that is out of sync."""
        return not self.subject.account.out_of_sync and not self.issuer.stale()

    # -- opening and warnings -----------------------------------------------------------------

    def _open(self) -> None:  # ES-2
        episode = self.episode
        if episode.open:
            return
        episode.close()
        episode.n += 1
        episode.open = True
        if self._at_or_below(self.levels.warning):
            reason = "ES-1"
        else:
            reason = self.subject.cancels[0].reason if self.subject.cancels else CONVERSION
        self.sender.notice("opened", ("ES-2", reason))

    def _warn(self) -> None:  # ES-3
        episode, ratio = self.episode, self.subject.ratio
        if ratio is None or ratio > self.levels.warning:
            return
        level = self.levels.lowest_reached(ratio)
        if level is None:
            return
        worse = episode.lowest_level is None or level < episode.lowest_level
        # A warning level that was set lower since is no step by which anything got worse.
        if episode.entered and not (worse and level in self.levels.worsened):
            return
        self._warning("worsened" if episode.entered else "entered", level)
        episode.entered = True
        if worse:
            episode.lowest_level = level

    def _warning(self, state: str, level: Decimal) -> None:
        made = self.issuer.issue(WarningCommand, ("ES-3",), state=state, level=level)
        self.sender.out.append(made)

    def _within_caps(self, found: Plan | Capped) -> Plan | None:
        """RD-6: count what goes out; without room keep the place in line, and wait."""
        if self.context.caps is not None:
            self.context.caps.book(self.subject.name, found, self.context.now)
        if isinstance(found, Capped):
            self.sender.wait_for_caps(found.until)
            return None
        return found

    # -- outside liquidation ------------------------------------------------------------------

    def _cancel_first(self) -> bool:
        """OC-1 to OC-3: the first rule that names something new is heard, the next one after it."""
        cancels = self.subject.cancels
        if not any(self.sender.cancel(*cancel) for cancel in cancels):
            return False
        if any(self.sender.names_new(cancel.order_ids) for cancel in cancels):
            self.episode.look_again = self.context.now + 1
        return True

    def _convert(self) -> None:  # IN-4
        found = self.conversion
        if found is None or self.episode.pending:
            return
        if not self._may_reduce() or self.issuer.stale(found.symbols):
            self.sender.hold()
            return
        granted = self._within_caps(found)
        if granted is not None:
            self.sender.convert(granted)

    # -- liquidation --------------------------------------------------------------------------

    def _begin_stage(self) -> None:
        episode = self.episode
        if not episode.liquidation and self._at_or_below(self.levels.liquidation):
            episode.liquidation = True
            episode.saw_cancel = bool(episode.cancels)
            step = episode.reduction
            episode.saw_reduction = step is not None and step.reason != CONVERSION

    def _liquidate(self) -> None:
        subject, episode = self.subject, self.episode
        if subject.adjusted_equity < 0 and not episode.bankrupt:  # ES-7
            self._say_bankrupt()
        if self.sender.cancel("ES-4", ("ES-4",), subject.open_orders) or episode.pending:  # ES-4
            return
        if not self._may_reduce():
            self.sender.hold()
            return
        found = subject.plan()
        if found is None:
            if not episode.bankrupt:
                self._say_bankrupt()
        elif self.issuer.stale(found.symbols):
            self.sender.hold()
        else:
            granted = self._within_caps(found)
            if granted is not None:
                self._reduce(granted)

    def _reduce(self, found: Plan) -> None:
        grown = self.subject.shortfall > self.episode.shortfall
        if found.takeover and self.episode.bankrupt and grown:
            self._say_bankrupt()
        self.sender.reduce(found)

    def _say_bankrupt(self) -> None:  # ES-7
        self.episode.bankrupt = True
        self.episode.shortfall = self.subject.shortfall
        self.sender.notice("bankrupt", ("ES-7",), shortfall=self.subject.shortfall)

    # -- endings ------------------------------------------------------------------------------

    def _end_stage(self) -> None:  # ES-5
        episode = self.episode
        if not episode.liquidation or self._in_danger() or episode.pending:
            return
        if episode.saw_cancel and not episode.saw_reduction:
            self.sender.notice("cancel_sufficient", ("ES-4",))
        episode.liquidation = False

    def _clear_and_close(self) -> None:  # ES-2, ES-3
        episode = self.episode
        if self._at_or_below(self.levels.warning_exit):
            return
        if episode.entered:
            self._warning("cleared", self.levels.warning_exit)
            episode.entered = False
        if not self._due() and not episode.pending:
            self.sender.notice("closed", ("ES-2",))
            episode.close()
