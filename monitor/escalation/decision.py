"""What goes out for one assessment of one account (ES-1 to ES-8, OC-1)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from monitor.account.state import Account
from monitor.escalation.context import Context
from monitor.escalation.episode import Episode, Pending
from monitor.escalation.messages import Issuer, resent, scaled_ms, waits_of
from monitor.escalation.rules import Levels, oc1_orders, open_orders
from monitor.exact import ZERO
from monitor.margin import Figures
from monitor.reduction import Plan, plan
from monitor.schema.commands import (
    Command,
    EpisodeNotice,
    OrderCancel,
    Reduction,
    WarningCommand,
)

__all__ = ["decide"]


def decide(account: Account, episode: Episode, figures: Figures, context: Context) -> list[Command]:
    """Return the commands that follow, in order, and move `episode` on.

    Pure but for `episode`: the same input gives the same bytes (ES-8, H-1). An account that is
    unknown or unpriced gets nothing (PX-3).
    """
    turn = _Turn(account, episode, figures, context)
    if not account.known or figures.unpriced:
        turn.hold()
        return []
    return turn.run()


class _Turn:
    """One decision."""

    def __init__(
        self, account: Account, episode: Episode, figures: Figures, context: Context
    ) -> None:
        self.account = account
        self.episode = episode
        self.figures = figures
        self.context = context
        self.policy = context.reference.policy
        self.levels = Levels.of(self.policy, account.mode)
        self.confirm_ms = scaled_ms(self.policy.confirm_seconds, self.policy.time_scale)
        self.issuer = Issuer(account, episode, figures, context, self.levels)
        self.out: list[Command] = []
        self.again: list[Pending] = []
        self.oc1: list[str] = []

    def run(self) -> list[Command]:
        self.oc1 = oc1_orders(self.account, self.figures, self.policy)
        if not self.episode.open and not self._at_or_below(self.levels.warning) and not self.oc1:
            return self.out
        self.episode.not_before = 0
        self.episode.given_up = [n for n in self.episode.given_up if n in self.account.orders]
        self._open()
        self._warn()
        self._begin_stage()
        self._meet_deadlines()
        if self._in_danger():
            self._liquidate()
        else:
            self._cancel("OC-1", self.oc1)
        self._send_again()
        self._end_stage()
        self._clear_and_close()
        return self.out

    def hold(self) -> None:
        """Put a deadline off that cannot be acted upon, so that it is not met over and over."""
        if self.episode.open:
            self.episode.not_before = self.context.now + self.confirm_ms

    # -- questions ----------------------------------------------------------------------------

    def _at_or_below(self, level: Decimal) -> bool:
        ratio = self.figures.ratio
        return ratio is not None and ratio <= level

    def _in_danger(self) -> bool:
        """At or below liquidation, or in the stage and not above its exit."""
        return self.episode.liquidation and self._at_or_below(self.levels.liquidation_exit)

    def _may_reduce(self) -> bool:
        """PX-4: no reduction on a stale price; none for an account that is out of sync."""
        return not self.account.out_of_sync and not self.issuer.stale()

    # -- opening and warnings -----------------------------------------------------------------

    def _open(self) -> None:  # ES-2
        if self.episode.open:
            return
        self.episode.close()
        self.episode.n += 1
        self.episode.open = True
        reason = "ES-1" if self._at_or_below(self.levels.warning) else "OC-1"
        self._notice("opened", ("ES-2", reason))

    def _warn(self) -> None:  # ES-3
        episode, ratio = self.episode, self.figures.ratio
        if ratio is None or ratio > self.levels.warning:
            return
        level = self.levels.lowest_reached(ratio)
        if level is None:
            return
        worse = episode.lowest_level is None or level < episode.lowest_level
        if episode.entered and not worse:
            return
        state = "worsened" if episode.entered else "entered"
        self.out.append(self.issuer.issue(WarningCommand, ("ES-3",), state=state, level=level))
        episode.entered = True
        if worse:
            episode.lowest_level = level

    def _notice(self, state: str, rules: tuple[str, ...], **own: Any) -> None:
        self.out.append(self.issuer.issue(EpisodeNotice, rules, state=state, **own))

    # -- pending actions ----------------------------------------------------------------------

    def _begin_stage(self) -> None:
        episode = self.episode
        if not episode.liquidation and self._at_or_below(self.levels.liquidation):
            episode.liquidation = True
            episode.saw_cancel = episode.cancel is not None
            episode.saw_reduction = episode.reduction is not None

    def _meet_deadlines(self) -> None:  # ES-6
        if self.episode.cancel is not None:
            self._meet(self.episode.cancel)
        if self.episode.reduction is not None:
            self._meet(self.episode.reduction)

    def _meet(self, pending: Pending) -> None:
        now = self.context.now
        if now >= pending.deadline and not pending.quiet and not pending.stuck:
            concerns = self._in_danger() or (pending.reason == "OC-1" and bool(self.oc1))
            if not concerns:
                pending.quiet = True
            elif pending.attempt >= self.policy.attempts:
                self._give_up(pending)
            elif now < pending.expires_at:
                self.again.append(pending)
        if now >= pending.expires_at:
            self._drop(pending)

    def _give_up(self, pending: Pending) -> None:
        self.episode.stuck = True
        self._notice("stuck", ("ES-6",))
        if pending is self.episode.cancel:
            self.episode.given_up += pending.order_ids
            self._drop(pending)
        else:
            pending.stuck = True

    def _drop(self, pending: Pending) -> None:
        if pending is self.episode.cancel:
            self.episode.cancel = None
        elif pending is self.episode.reduction:
            self.episode.reduction = None

    def _send_again(self) -> None:
        for pending in self.again:
            if pending is self.episode.reduction:
                if not self._may_reduce():
                    self.hold()
                    continue
            elif pending is not self.episode.cancel:
                continue  # replaced meanwhile
            pending.deadline = self.context.now + self.confirm_ms
            self.out.append(resent(pending))

    # -- cancels ------------------------------------------------------------------------------

    def _cancel(self, reason: str, order_ids: list[str]) -> bool:
        """Cancel orders when one of them is named by no pending and no given-up cancel."""
        episode = self.episode
        names = [name for name in order_ids if name not in episode.given_up]
        named = episode.cancel.order_ids if episode.cancel is not None else []
        if all(name in named for name in names):
            return False
        command = self.issuer.issue(OrderCancel, (reason,), reason=reason, order_ids=tuple(names))
        episode.cancel = self._pending(command, reason=reason, order_ids=names)
        episode.saw_cancel = True
        self.out.append(command)
        return True

    def _pending(self, command: Command, **own: Any) -> Pending:
        return Pending(
            command=command.model_dump_json(),
            command_id=command.command_id,
            deadline=self.context.now + self.confirm_ms,
            expires_at=command.expires_at,
            **own,
        )

    # -- liquidation --------------------------------------------------------------------------

    def _liquidate(self) -> None:
        episode = self.episode
        if self.figures.adjusted_equity < 0 and not episode.bankrupt:  # ES-7
            self._say_bankrupt()
        if self._cancel("ES-4", open_orders(self.account)) or episode.pending:  # ES-4
            return
        if not self._may_reduce():
            self.hold()
            return
        found = plan(self.account, self.figures, self.context)
        if found is None:
            if not episode.bankrupt:
                self._say_bankrupt()
        elif self.issuer.stale(found.symbols):
            self.hold()
        else:
            self._reduce(found)

    def _reduce(self, found: Plan) -> None:  # ES-5
        episode = self.episode
        if found.takeover and episode.bankrupt and self._shortfall() > episode.shortfall:
            self._say_bankrupt()
        episode.steps += 1
        command = self.issuer.issue(
            Reduction,
            ("ES-5", *found.rules),
            found.symbols,
            step=episode.steps,
            phase=found.phase,
            actions=found.actions,
            expected_ratio=found.expected_ratio,
        )
        episode.reduction = self._pending(command, waits=waits_of(command))
        episode.saw_reduction = True
        self.out.append(command)

    def _shortfall(self) -> Decimal:
        total = self.figures.total_equity
        return max(ZERO, -total) if total is not None else ZERO

    def _say_bankrupt(self) -> None:  # ES-7
        self.episode.bankrupt = True
        self.episode.shortfall = self._shortfall()
        self._notice("bankrupt", ("ES-7",), shortfall=self.episode.shortfall)

    # -- endings ------------------------------------------------------------------------------

    def _end_stage(self) -> None:  # ES-5
        episode = self.episode
        if not episode.liquidation or self._in_danger() or episode.pending:
            return
        if episode.saw_cancel and not episode.saw_reduction:
            self._notice("cancel_sufficient", ("ES-4",))
        episode.liquidation = False

    def _clear_and_close(self) -> None:  # ES-2, ES-3
        episode = self.episode
        if self._at_or_below(self.levels.warning_exit):
            return
        if episode.entered:
            level = self.levels.warning_exit
            self.out.append(
                self.issuer.issue(WarningCommand, ("ES-3",), state="cleared", level=level)
            )
            episode.entered = False
        if not self.oc1 and not episode.pending:
            self._notice("closed", ("ES-2",))
            episode.close()
