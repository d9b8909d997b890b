"""What one assessment must say, by the rules of the episode (ES, OC)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from monitor.exact import plain
from streams.verify.cancels import BY_OTHERS, cancel_due, holds, perhaps_holds
from streams.verify.compare import close_to
from streams.verify.conversion import may_convert, next_conversion
from streams.verify.cuts import capped_symbols
from streams.verify.group import Group, Token
from streams.verify.isolated_plan import isolated_step
from streams.verify.market import max_age_ms
from streams.verify.plan import next_step
from streams.verify.situation import Situation, Step
from streams.verify.sizing import Plan
from streams.verify.standing import Standing, cancellable, seconds, unnamed_orders

__all__ = ["BY_CAPS", "expected_tokens"]

IN_STAGE = "ES-5: whether the liquidation stage had begun on a stale price"
BY_CAPS = "RD-6: whether the caps left room for a step that was not sent"

_ACTIONS = ("ES-4", "OC-1", "OC-2", "OC-3", "IN-5", "reduction", "auto_exchange")


def expected_tokens(group: Group, standing: Standing) -> tuple[list[Token], list[Token]]:
    """Return what this assessment must say, in order, and what it may say besides.

    Leaves what was planned for it, if anything, in `group.plan` and `group.conversion`.
    """
    expected: list[Token] = []
    optional: list[Token] = []
    group.unjudged.clear()
    group.conversion = None
    if not _in_danger(group, standing):
        group.conversion = _conversion(group)
    if not standing.open:
        if not (group.under("warning") or _asks(group)):
            return [], []
        expected.append(("opened",))
        standing = standing.opened()
    ratio = group.figures.ratio
    if ratio is not None:
        level = standing.level_reached(ratio, group.reference.policy, group.mode)
        if level is not None:
            expected.append(("worsened" if standing.entered else "entered", plain(level)))
            standing = replace(standing, entered=True, lowest=level)
    acted = _action(group, standing)
    expected += acted
    waiting = standing.waiting(group.book, group.version, group.now) or any(
        token[0] in _ACTIONS for token in acted
    )
    if group.gone:  # what is pending concerns nothing any more
        _clear_and_close(group, standing, False, expected)
        return expected, optional
    _end_stage(group, standing, waiting, expected, optional)
    _clear_and_close(group, standing, waiting, expected)
    return expected, optional


def _asks(group: Group) -> bool:
    """Return whether orders or debts ask for something, whatever the ratio (OC, IN-4)."""
    said = group.cancelled("OC-3") is not None  # by a total of others, perhaps
    return holds(group.figures) or said or group.conversion is not None


def _end_stage(
    group: Group,
    standing: Standing,
    waiting: bool,
    expected: list[Token],
    optional: list[Token],
) -> None:
    """ES-4, ES-5: what is said when the account is out of liquidation."""
    if group.over("liquidation_exit") and not waiting and standing.cancelled:
        if not standing.reduced:
            expected.append(("cancel_sufficient",))
        elif standing.uncertain:
            optional.append(("cancel_sufficient",))
    elif standing.cancels and not standing.reduced:
        # The ratio may have passed the level without a word while a cancel was pending.
        optional.append(("cancel_sufficient",))


def _clear_and_close(
    group: Group, standing: Standing, waiting: bool, expected: list[Token]
) -> None:
    """ES-2, ES-3: what is said above the warning exit."""
    if not group.over("warning_exit"):
        return
    if standing.entered:
        expected.append(("cleared", plain(group.level("warning_exit"))))
    if waiting or holds(group.figures) or group.conversion is not None:
        return
    if perhaps_holds(group.figures) and not group.says("closed"):
        group.unjudged.append(BY_OTHERS)
        return
    expected.append(("closed",))


def _in_danger(group: Group, standing: Standing) -> bool:
    """ES-5: with an exit above the level, a stage that began goes on between the two."""
    if group.under("liquidation"):
        return True
    if not group.under("liquidation_exit"):
        return False
    if (standing.cancelled or standing.reduced) and not standing.uncertain:
        return True
    # Held back by a stale price, a stage can begin without a word.
    acts = group.step_of("reduction") is not None or group.cancelled("ES-4") is not None
    if standing.open and acts:
        group.unjudged.append(IN_STAGE)
    return standing.open and acts


def _action(group: Group, standing: Standing) -> list[Token]:
    place = (group.book, group.version, group.now)
    if not _in_danger(group, standing):
        cancel = cancel_due(group, standing)
        if cancel is not None:
            return [cancel]
        if group.conversion is None or standing.waiting(*place):
            return []
        return _sent(group, group.conversion, "auto_exchange")
    bankrupt: list[Token] = []
    if group.figures.adjusted_equity < 0 and standing.bankrupt is None:
        bankrupt = [("bankrupt",)]
    if unnamed_orders(standing, *place):
        names = sorted(order.order_id for order in cancellable(standing, group.book))
        return [*bankrupt, ("ES-4", *names)]
    if standing.waiting(*place) and not _conversion_dropped(group, standing):
        return bankrupt
    if _held(group, "reduction"):
        return bankrupt
    return _reduction(group, standing, bankrupt)


def _held(group: Group, kind: str) -> bool:
    """PX-4: no step on a stale price; of an account that may be out of sync both are right."""
    return bool(group.moment.stale) or (group.out_of_sync and group.step_of(kind) is None)


def _conversion_dropped(group: Group, standing: Standing) -> bool:
    """IN-4: at or below 1 a conversion is waited for until its deadline alone.

    When it last went out is not told, so that from its first deadline on both are right.
    """
    pending = standing.reduction
    if pending is None or pending.command.kind != "auto_exchange":
        return False
    if standing.waiting_cancels(group.book, group.version, group.now):
        return False
    policy = group.reference.policy
    ripe = pending.command.decided_at + seconds(policy.confirm_seconds, policy)
    # With equity below 0 it is bankrupt anyhow; otherwise there was nothing to reduce.
    ended = group.says("bankrupt") and group.figures.adjusted_equity >= 0
    return group.now >= ripe and (group.step_of("reduction") is not None or ended)


def _situation(group: Group) -> Situation:
    return Situation(group.book, group.quotes, group.reference, group.figures, group.now)


def _conversion(group: Group) -> Plan | None:
    if group.key is not None:
        return None
    situation = _situation(group)
    return next_conversion(situation) if may_convert(situation) else None


def _reduction(group: Group, standing: Standing, bankrupt: list[Token]) -> list[Token]:
    situation, key = _situation(group), standing.key
    plan = next_step(situation) if key is None else isolated_step(situation, key)
    group.plan = plan
    said = standing.bankrupt
    if plan.step is None:
        return [("bankrupt",)] if said is None else []
    sent = _sent(group, plan, "reduction")
    if sent and plan.step.phase == "takeover" and said is not None and _grown(group, said):
        bankrupt = [("bankrupt",)]
    return [*bankrupt, *sent]


def _grown(group: Group, said: Decimal) -> bool:
    """Return whether a shortfall has grown; where the last digits decide, both are right."""
    if close_to(group.shortfall, said):
        return said > 0 and group.says("bankrupt")
    return group.shortfall > said


def _sent(group: Group, plan: Plan, kind: str) -> list[Token]:
    """Return a planned step, unless it is held back, or may be, and was not sent (PX-4, RD-6)."""
    if _held(group, kind):
        return []
    if plan.step is not None and group.step_of(kind) is None:
        if _trades_on_stale(group, plan.step):
            return []
        if group.busy and capped_symbols(plan, group.reference.policy.symbol_caps):
            group.unjudged.append(BY_CAPS)
            return []
    return [(kind,)]


def _trades_on_stale(group: Group, step: Step) -> bool:
    """PX-4: whether a price is stale that only the trades of a step go by."""
    keys: set[str] = set()
    for action in step.actions:
        spec = group.reference.instruments.get(action.instrument or "")
        if spec is not None and spec.kind == "spot":
            for coin in (spec.underlying, spec.quote):
                keys.update(group.quotes.route(coin) or ())
    policy, market = group.reference.policy, group.market
    return any(
        market.age(key, tick, group.now) > max_age_ms(policy, key)
        for key in keys - group.moment.quotes.keys()
        for tick in (group.moment.first, group.moment.last)
    )
