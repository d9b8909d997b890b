"""What an account owes beyond the free parts at one moment, at one hour's prices (IN-1, IN-2)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from monitor.account.glance import Glance
from monitor.account.interest import Base
from monitor.account.state import Account
from monitor.contracts import trade_value, unrealised_pnl
from monitor.currency import liability
from monitor.exact import ZERO
from monitor.interest.free import chargeable, free_part
from monitor.interest.hours import HourBook
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reference import Reference

__all__ = ["Charges", "charges_at", "greatest", "may_owe"]


class Charges(NamedTuple):
    """What bears interest at one moment; not `exact` when another hour's prices had to serve."""

    bases: list[Base]
    exact: bool = True


def may_owe(account: Account | Glance) -> bool:
    """Say whether anything is owed, or may be at some prices."""
    return (
        bool(account.positions)
        or any(b.cash < 0 or b.borrowed or b.accrued_interest for b in account.balances.values())
        or any(p.liability or p.accrued_interest for p in account.isolated.values())
    )


def charges_at(
    account: Account, reference: Reference, hours: HourBook, hour: int
) -> Charges | None:
    """Return what bears interest at the hour's prices; None while they, or the rules, are unknown.

    A debt that needs no price is told without: spot mode, isolated debts.
    """
    if not may_owe(account):
        return Charges([])
    if account.unknown_to(reference):
        return None
    isolated = _isolated(account)
    if not chargeable(account, reference):
        return Charges(isolated)
    if account.mode == "spot":
        return Charges(_spot(account) + isolated)
    if not account.positions and not _negative(account):
        return Charges(isolated)
    for known in hours.serving(hour):
        if _owes_nothing(account, reference, known.prices):
            return Charges(isolated, known.exact)
        figures = assess(account, reference, known.prices)
        if not figures.unpriced:
            return Charges(_cross(account, figures, reference) + isolated, known.exact)
    return None


def greatest(known: list[Base], found: Iterable[Base]) -> None:
    """Put into `known` what is greater in `found` (IN-1); of equal ones the first stays."""
    places = {(base.currency, base.position): place for place, base in enumerate(known)}
    for base in found:
        place = places.get((base.currency, base.position))
        if place is None:
            places[base.currency, base.position] = len(known)
            known.append(base)
        elif base.charged > known[place].charged:
            known[place] = base


def _spot(account: Account) -> list[Base]:
    """CU-6 in spot mode, where every unit is charged (IN-2)."""
    found = []
    for name, b in sorted(account.balances.items()):
        owed = liability("spot", b.cash, b.borrowed, b.accrued_interest, ZERO)
        if owed > 0:
            found.append(Base(name, None, owed, ZERO))
    return found


def _isolated(account: Account) -> list[Base]:
    """IN-2: isolated debts have no free part."""
    return [
        Base(p.liability_currency, key, p.liability + p.accrued_interest, ZERO)
        for key, p in sorted(account.isolated.items())
        if p.liability + p.accrued_interest > 0
    ]


def _cross(account: Account, figures: Figures, reference: Reference) -> list[Base]:
    found = []
    for name, coin in sorted(figures.currencies.items()):
        if coin.liability:
            free = free_part(account, figures, name, reference)
            if coin.liability > free:
                found.append(Base(name, None, coin.liability, free))
    return found


def _negative(account: Account) -> bool:
    return any(b.cash - b.borrowed - b.accrued_interest < 0 for b in account.balances.values())


def _owes_nothing(account: Account, reference: Reference, prices: PriceBook) -> bool:
    """Say whether marks alone show that no equity is negative (CU-1): most accounts, on the hour.

    It only rules out; what is left is assessed.
    """
    equities: dict[str, Decimal] = {
        name: b.cash - b.borrowed - b.accrued_interest for name, b in account.balances.items()
    }
    for position in account.positions.values():
        mark = prices.prices.get(f"{position.instrument}/mark")
        if mark is None:
            return False
        instrument = reference.instruments[position.instrument]
        size = reference.sizes[position.instrument]
        if instrument.kind == "option":
            value = trade_value(instrument, size, position.quantity, mark.price)
        else:
            value = unrealised_pnl(
                instrument, size, position.quantity, position.entry_price, mark.price
            )
        coin = instrument.settle or instrument.quote
        equities[coin] = equities.get(coin, ZERO) + value
    return min(equities.values(), default=ZERO) >= 0
