"""What must hold of one account, whatever has happened to it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from monitor.account import Account, open_account
from monitor.contracts import unrealised_pnl
from monitor.exact import ONE, ZERO
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.report import shown
from monitor.schema import (
    AccountEvent,
    AccountSettings,
    Fill,
    Order,
    Transfer,
)
from monitor.schema.interest import InterestNotice

__all__ = [
    "check_conserved",
    "check_more_collateral",
    "check_same_from_snapshot",
    "check_worse_price",
    "holdings",
]

_CLOSE = Decimal("1e-30")
"""Relative: shares of a position divide, and the last of 50 digits may differ."""


def holdings(account: Account) -> tuple[object, ...]:
    """Return a copy of what only events may change; equal when nothing has."""
    twin = account.copy()
    return twin.balances, twin.positions, twin.isolated, twin.orders


# -- conservation -----------------------------------------------------------------------------


def check_conserved(
    before: Account,
    after: Account,
    event: AccountEvent | None,
    notices: Iterable[InterestNotice],
    reference: Reference,
) -> None:
    """An event moves what it says and nothing else: at its own price a trade costs its fee alone.

    Interest costs what was said to have accrued; its deduction costs no more (IN-1).
    """
    expected = _moved(event, reference)
    if expected is None:
        return
    traded = event if isinstance(event, Fill) else None
    for notice in notices:
        if notice.state == "accrued":
            cost = notice.amount
            if traded is not None and _is_base_debt(before, notice, traded, reference):
                # The trade's price turns what is owed in base coin into quote coin.
                quote = reference.instruments[traded.instrument].quote
                expected[quote] = expected.get(quote, ZERO) - cost * traded.price
                continue
            expected[notice.currency] = expected.get(notice.currency, ZERO) - cost
    had, has = _worth(before, traded, reference), _worth(after, traded, reference)
    for coin in {*had, *has, *expected}:
        change = has.get(coin, ZERO) - had.get(coin, ZERO)
        wanted = expected.get(coin, ZERO)
        size = max(ONE, abs(had.get(coin, ZERO)), abs(wanted))
        assert abs(change - wanted) <= _CLOSE * size, (coin, change, wanted, event)


def _is_base_debt(
    account: Account, notice: InterestNotice, fill: Fill, reference: Reference
) -> bool:
    if notice.instrument != fill.instrument:
        return False
    return reference.instruments[fill.instrument].underlying == notice.currency and any(
        held.instrument == fill.instrument for held in account.isolated.values()
    )


def _moved(event: AccountEvent | None, reference: Reference) -> dict[str, Decimal] | None:
    """Return coin → change of what is owned less what is owed; None: a snapshot, all may change."""
    if isinstance(event, AccountSettings):
        return None if event.snapshot is not None else {}
    if event is None or isinstance(event, Order):
        return {}
    if isinstance(event, Transfer):
        signs = {"deposit": 1, "withdrawal": -1, "funding": 1, "adjustment": 1, "interest": -1}
        return {event.currency: event.amount * signs.get(event.kind, 0)}
    found: dict[str, Decimal] = {}
    instrument = reference.instruments[event.instrument]
    if instrument.kind == "spot" and event.margin_mode == "cross":
        sign = 1 if event.side == "buy" else -1
        found[instrument.underlying] = sign * event.quantity
        found[instrument.quote] = -sign * event.quantity * event.price
    found[event.fee_currency] = found.get(event.fee_currency, ZERO) - event.fee
    return found


def _worth(account: Account, fill: Fill | None, reference: Reference) -> dict[str, Decimal]:
    """Return coin → owned less owed; positions count on the fill's instrument, at its price."""
    found: dict[str, Decimal] = {}

    def add(coin: str, amount: Decimal) -> None:
        found[coin] = found.get(coin, ZERO) + amount

    for coin, balance in account.balances.items():
        add(coin, balance.cash - balance.borrowed - balance.accrued_interest)
    for held in account.isolated.values():
        add(held.margin_currency, held.margin)
        instrument = reference.instruments[held.instrument]
        traded = fill is not None and fill.instrument == held.instrument
        if instrument.kind == "spot":
            interest = held.accrued_interest
            if traded and fill is not None and held.liability_currency == instrument.underlying:
                add(instrument.quote, -interest * fill.price)
            else:
                add(held.liability_currency, -interest)
    if fill is None:
        return found
    instrument = reference.instruments[fill.instrument]
    size = reference.sizes[fill.instrument] if instrument.kind != "spot" else ONE
    coin = instrument.settle or instrument.quote
    for position in account.positions.values():
        if position.instrument == fill.instrument and instrument.kind == "option":
            add(coin, position.quantity * size * fill.price)
        elif position.instrument == fill.instrument:
            add(
                coin,
                unrealised_pnl(
                    instrument, size, position.quantity, position.entry_price, fill.price
                ),
            )
    for held in account.isolated.values():
        if held.instrument == fill.instrument:
            add(
                coin,
                unrealised_pnl(instrument, size, held.quantity, held.entry_price, fill.price),
            )
    return found


# -- from a snapshot --------------------------------------------------------------------------


def check_same_from_snapshot(account: Account, reference: Reference, prices: PriceBook) -> None:
    """An account told by its snapshot is assessed as the one that its events made."""
    twin = open_account(_settings_of(account), reference)
    policy = reference.policy
    mine = shown(account, assess(account, reference, prices), policy)
    theirs = shown(twin, assess(twin, reference, prices), policy)
    mine["out_of_sync"] = theirs["out_of_sync"]
    for name in mine["currencies"].keys() - theirs["currencies"].keys():
        del mine["currencies"][name]  # nothing of it is left but its name
    assert mine == theirs


def _settings_of(account: Account) -> AccountSettings:
    positions: list[dict[str, Any]] = [
        {
            "instrument": held.instrument,
            "position_side": held.side,
            "quantity": held.quantity,
            "entry_price": held.entry_price,
        }
        for held in account.positions.values()
    ]
    positions += [
        {
            "instrument": held.instrument,
            "position_side": held.side,
            "margin_mode": "isolated",
            "quantity": held.quantity,
            "entry_price": held.entry_price,
            "margin": held.margin,
            "margin_currency": held.margin_currency,
            "leverage": held.leverage,
            **(
                {
                    "liability": held.liability,
                    "liability_currency": held.liability_currency,
                    "accrued_interest": held.accrued_interest,
                }
                if held.liability_currency
                else {}
            ),
        }
        for held in account.isolated.values()
    ]
    orders = [
        {
            "account_id": account.account_id,
            "ts": 1,
            **{
                name: getattr(order, name)
                for name in order.__struct_fields__
                if name not in ("fills_seen", "filled_quantity")
            },
            "filled_quantity": max(order.filled_quantity, order.fills_seen),
            "status": "open",
        }
        for order in account.orders.values()
    ]
    balances = [
        {
            "currency": coin,
            "cash": balance.cash,
            "borrowed": balance.borrowed,
            "accrued_interest": balance.accrued_interest,
        }
        for coin, balance in account.balances.items()
        if not balance.is_empty()
    ]
    return AccountSettings.model_construct(
        **AccountSettings.model_validate(
            {
                "account_id": account.account_id,
                "mode": account.mode,
                "auto_borrow": account.auto_borrow,
                "position_mode": account.position_mode,
                "vip_level": account.vip_level,
                "main_account_id": account.main_account_id,
                "fee_schedule": account.fee_schedule,
                "auto_repay": account.auto_repay,
                "leverage": account.leverage,
                "borrow_leverage": account.borrow_leverage,
                "collateral_off": account.collateral_off,
                "restricted": account.restricted,
                "ts": 1,
                "snapshot": {"balances": balances, "positions": positions, "orders": orders},
            }
        ).__dict__
    )


# -- monotony ---------------------------------------------------------------------------------


def check_more_collateral(
    account: Account, before: Figures, reference: Reference, prices: PriceBook
) -> None:
    """Adding collateral never lowers the ratio.

    Below zero equity it may: what repays a debt makes the requirement, by which is divided, smaller.
    """
    if before.ratio is None or before.adjusted_equity < 0:
        return
    richer = account.copy()
    richer.balance("USDT").cash += Decimal(100)
    after = assess(richer, reference, prices)
    assert after.ratio is None or after.ratio >= before.ratio, (before.ratio, after.ratio)


class _OneMark(PriceBook):
    """The prices of a book with one mark changed."""

    def __init__(self, base: PriceBook, instrument: str, factor: Decimal) -> None:
        super().__init__()
        self.prices = base.prices
        self._base, self._instrument, self._factor = base, instrument, factor

    def mark(self, instrument: str) -> Decimal:
        mark = self._base.mark(instrument)
        return mark * self._factor if instrument == self._instrument else mark

    def index(self, currency: str) -> Decimal:
        return self._base.index(currency)

    def route(self, currency: str) -> tuple[str, str | None]:
        return self._base.route(currency)


def check_worse_price(
    account: Account, before: Figures, reference: Reference, prices: PriceBook
) -> None:
    """A lower mark of a long in one contract never raises the ratio of an account near the levels.

    Far above them it can: the position's requirement shrinks with it. So it can beside a spot order
    (AE-2): what it receives moves into a better tier, and is valued at the order's price.
    """
    if before.ratio is None or not 0 <= before.ratio <= Decimal("3.15"):
        return
    ordered = {order.instrument for order in account.orders.values()}
    if any(reference.instruments[name].kind == "spot" for name in ordered):
        return
    for held in account.positions.values():
        kind = reference.instruments[held.instrument].kind
        alone = sum(p.instrument == held.instrument for p in account.positions.values()) == 1
        if kind == "option" or held.quantity <= 0 or not alone or held.instrument in ordered:
            continue
        worse = _OneMark(prices, held.instrument, Decimal("0.999"))
        after = assess(account, reference, worse)
        assert after.ratio is not None
        assert after.ratio <= before.ratio, (held, before.ratio, after.ratio)
