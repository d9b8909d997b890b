"""Steps that the caps on commanded notional made smaller than they were planned (RD-6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from monitor.exact import ZERO
from monitor.schema import Action, Reduction
from streams.verify.compare import close_to
from streams.verify.situation import Planned, Step
from streams.verify.sizing import Netting, Plan, Sizes

__all__ = ["capped_symbols", "cut_step", "past_caps", "steps_like"]

_A_BIT_MORE = 1 + Decimal("1e-20")

Caps = Mapping[str, Decimal]
"""USD by symbol; `*` serves the symbols not named."""


def _cap(caps: Caps, symbol: str) -> Decimal | None:
    return caps.get(symbol, caps.get("*"))


def capped_symbols(plan: Plan, caps: Caps) -> frozenset[str]:
    """Return the instruments of a planned step that have a cap; a takeover goes to no market."""
    if plan.step is None or plan.step.phase == "takeover":
        return frozenset()
    names = {action.instrument for action in plan.step.actions if action.instrument is not None}
    return frozenset(name for name in names if _cap(caps, name) is not None)


def _notionals(actions: tuple[Planned, ...] | tuple[Action, ...]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for action in actions:
        if action.instrument is not None:
            before = found.get(action.instrument, ZERO)
            found[action.instrument] = before + action.notional_usd
    return found


def steps_like(plan: Plan) -> list[Step]:
    """Return the planned step, and the one by a lot larger where the last digit may decide."""
    found = [] if plan.step is None else [plan.step]
    if plan.sizes is not None and plan.sizes.by_amount and plan.count < plan.sizes.most:
        larger = plan.sizes.step(plan.count + 1)
        found += [] if larger is None else [larger]
    return found


def cut_step(plan: Plan, command: Reduction, caps: Caps) -> Step | None:
    """Return the smaller step that a command cut by the caps stands for; None when it is none.

    What was left of a cap in that second depends on the commands of all accounts; that it was
    left, and that no more than that was taken, is what one account's command has to show.
    """
    left = {a.instrument: a.capped_usd for a in command.actions if a.capped_usd is not None}
    said = {name: usd for name, usd in left.items() if name is not None and usd is not None}
    if plan.step is None or not caps or not (said or "RD-6" in command.rules):
        return None
    whole = _notionals(plan.step.actions)
    if plan.netting is not None:
        return _cut_netting(plan.netting, command, caps, whole)
    if plan.sizes is None or any(whole.get(name, ZERO) <= usd for name, usd in said.items()):
        return None
    if any(usd > (_cap(caps, name) or ZERO) for name, usd in said.items()):
        return None
    return _fewer_lots(plan.sizes, plan.count, command, said)


def past_caps(plan: Plan, caps: Caps) -> str | None:
    """Return the symbol whose whole cap a planned step passes although fewer lots would do."""
    sizes, count = plan.sizes, plan.count
    if plan.step is None or sizes is None or not caps:
        return None
    own = {name: cap for name in _notionals(plan.step.actions) if (cap := _cap(caps, name))}
    passed = [
        name for name, usd in _notionals(plan.step.actions).items() if usd > own.get(name, usd)
    ]
    if not passed:
        return None
    low, high = 0, count  # the most lots that fit
    while high - low > 1:
        middle = (low + high) // 2
        step = sizes.step(middle)
        low, high = (middle, high) if step is not None and _fits(step, own) else (low, middle)
    for fewer in (low, low + 1):
        step = sizes.step(fewer) if 0 < fewer < count else None
        if step is not None and sizes.passes(step):
            return passed[0]
    return None


def _fewer_lots(
    sizes: Sizes, most: int, command: Reduction, said: Mapping[str, Decimal]
) -> Step | None:
    """Return the step of as many lots as the command is worth, if the caps explain it."""
    count = _first_worth(sizes, most, _worth(command.actions))
    step = sizes.step(count)
    if count >= most or step is None or not sizes.passes(step):
        return None
    if not said:
        return step
    if _fits(step, said):
        return step if _nothing_more_fits(sizes, most, step, said) else None
    # A lot, or what RD-7 asks for, may be larger than a whole cap.
    fewer = sizes.step(count - 1) if count > 1 else None
    return step if fewer is None or not sizes.passes(fewer) else None


def _worth(actions: Iterable[Planned | Action]) -> Decimal:
    return sum((action.notional_usd for action in actions), ZERO)


def _first_worth(sizes: Sizes, most: int, usd: Decimal) -> int:
    """Return the fewest lots that are worth so much, at most `most`."""
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        step = sizes.step(middle)
        worth = ZERO if step is None else _worth(step.actions)
        enough = worth >= usd or close_to(worth, usd)
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def _fits(step: Step, said: Mapping[str, Decimal]) -> bool:
    own = _notionals(step.actions)
    return all(own.get(name, ZERO) <= usd for name, usd in said.items())


def _nothing_more_fits(sizes: Sizes, most: int, step: Step, said: Mapping[str, Decimal]) -> bool:
    """Return whether the next larger size would not have fitted; by amount, the one after it."""
    larger: Step | None = step
    for _ in range(2 if sizes.by_amount else 1):
        if larger is None:
            return True
        beyond = _worth(larger.actions) * _A_BIT_MORE
        larger = sizes.step(_first_worth(sizes, most, beyond))
    return larger is None or not _fits(larger, said)


def _cut_netting(
    netting: Netting, command: Reduction, caps: Caps, whole: Mapping[str, Decimal]
) -> Step | None:
    """RD-2 (a): each contract is cut by its own cap, or left out for a second."""
    contracts: dict[str, Decimal] = {}
    for action in command.actions:
        name = action.instrument or ""
        if name not in netting.most or contracts.get(name, action.quantity) != action.quantity:
            return None
        contracts[name] = action.quantity
        if action.quantity == netting.most[name]:
            continue
        cap, left = _cap(caps, name), action.capped_usd
        if cap is None or left is None or left > cap or whole[name] <= left:
            return None
        if action.quantity > netting.most[name] or action.quantity % netting.lots[name]:
            return None
    missing = netting.most.keys() - contracts.keys()
    if any(_cap(caps, name) is None for name in missing):
        return None
    return netting.step(contracts)
