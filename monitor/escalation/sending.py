"""Cancels and steps on their way: sent, sent again at deadlines, given up, dropped (ES-4 to ES-6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from monitor.escalation.context import Context
from monitor.escalation.episode import Episode, Pending
from monitor.escalation.messages import Issuer, resent, scaled_ms, waits_of
from monitor.reduction import Plan
from monitor.schema.commands import CancelReason, Command, EpisodeNotice, OrderCancel, Reduction

__all__ = ["CONVERSION", "Sender"]

CONVERSION = "IN-4"
"""`Pending.reason` of a conversion."""


class Sender:
    """What goes out in one decision, in order, and what is waited for afterwards."""

    def __init__(self, episode: Episode, issuer: Issuer, context: Context) -> None:
        self.episode = episode
        self.issuer = issuer
        self.now = context.now
        self.policy = context.reference.policy
        self.confirm_ms = scaled_ms(self.policy.confirm_seconds, self.policy.time_scale)
        self.out: list[Command] = []
        self._again: list[Pending] = []

    def notice(self, state: str, rules: tuple[str, ...], **own: Any) -> None:
        """Say what became of the episode."""
        self.out.append(self.issuer.issue(EpisodeNotice, rules, state=state, **own))

    def hold(self) -> None:
        """Put a deadline off that cannot be acted upon, so that it is not met over and over."""
        self.episode.not_before = self.now + self.confirm_ms

    def wait_for_caps(self, until: int) -> None:
        """RD-6: send nothing before `until`, when the caps have room again."""
        self.episode.not_before = until
        self.episode.capped = True

    # -- what is sent first -------------------------------------------------------------------

    def cancel(
        self, reason: CancelReason, rules: tuple[str, ...], order_ids: Sequence[str]
    ) -> bool:
        """Cancel orders when one of them is named by no pending and no given-up cancel.

        A new cancel replaces the pending one of its reason; one by ES-4 replaces all.
        """
        episode = self.episode
        if not self.names_new(order_ids):
            return False
        names = [name for name in order_ids if name not in episode.given_up]
        command = self.issuer.issue(OrderCancel, rules, reason=reason, order_ids=tuple(names))
        kept = [] if reason == "ES-4" else [c for c in episode.cancels if c.reason != reason]
        episode.cancels = [*kept, self._pending(command, reason=reason, order_ids=names)]
        episode.saw_cancel = True
        self.out.append(command)
        return True

    def names_new(self, order_ids: Sequence[str]) -> bool:
        """Whether one of the orders is named by no pending and no given-up cancel."""
        named = {name for pending in self.episode.cancels for name in pending.order_ids}
        return any(n not in named and n not in self.episode.given_up for n in order_ids)

    def reduce(self, found: Plan) -> None:
        """ES-5: command one reduction step."""
        self._step(found, ("ES-5", *found.rules))
        self.episode.saw_reduction = True

    def convert(self, found: Plan) -> None:
        """IN-4: command one conversion."""
        self._step(found, found.rules, kind="auto_exchange")

    def _step(self, found: Plan, rules: tuple[str, ...], kind: str = "reduction") -> None:
        episode = self.episode
        episode.steps += 1
        command = self.issuer.issue(
            Reduction,
            rules,
            found.symbols,
            kind=kind,
            step=episode.steps,
            phase=found.phase,
            actions=found.actions,
            expected_ratio=found.expected_ratio,
        )
        reason = CONVERSION if kind == "auto_exchange" else ""
        episode.reduction = self._pending(command, reason=reason, waits=waits_of(command))
        self.out.append(command)

    def _pending(self, command: Command, **own: Any) -> Pending:
        return Pending(
            command=command.model_dump_json(),
            command_id=command.command_id,
            deadline=self.now + self.confirm_ms,
            expires_at=command.expires_at,
            **own,
        )

    # -- deadlines ----------------------------------------------------------------------------

    def meet_deadlines(self, concerns: Callable[[Pending], bool], *, danger: bool) -> None:
        """ES-6: let what is overdue go again, if it still concerns anything, or give it up."""
        for pending in list(self.episode.waiting):
            self._meet(pending, concerns(pending))
            if danger and pending.reason == CONVERSION and self.now >= pending.deadline:
                self.episode.drop(pending)  # IN-4: none at or below 1, and the next step waits

    def _meet(self, pending: Pending, concerns: bool) -> None:
        if self.now >= pending.deadline and not pending.quiet and not pending.stuck:
            if not concerns:
                pending.quiet = True
            elif pending.attempt >= self.policy.attempts:
                self._give_up(pending)
            elif self.now < pending.expires_at:
                self._again.append(pending)
        if self.now >= pending.expires_at:
            self.episode.drop(pending)

    def _give_up(self, pending: Pending) -> None:
        self.episode.stuck = True
        self.notice("stuck", ("ES-6",))
        if pending is self.episode.reduction:
            pending.stuck = True
        else:
            self.episode.given_up += pending.order_ids
            self.episode.drop(pending)

    def send_again(self, *, may_reduce: bool) -> None:
        """ES-6: send what is overdue again, unless something took its place meanwhile."""
        for pending in self._again:
            if pending is self.episode.reduction:
                if not may_reduce:
                    self.hold()
                    continue
            elif not any(pending is cancel for cancel in self.episode.cancels):
                continue
            pending.deadline = self.now + self.confirm_ms
            self.out.append(resent(pending))
