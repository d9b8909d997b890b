"""Whether coin may be borrowed by hand, or leave the account (OV-2, OV-5, RP-5)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from monitor.account.state import Account
from monitor.exact import ONE, ZERO
from monitor.limits import Totals
from monitor.margin import Figures
from monitor.ordering.answers import answered, unpriced
from monitor.ordering.breaks import borrow_breaks, withdrawal_breaks
from monitor.ordering.change import Change, account_refusal, borrowing_refusals, shown
from monitor.ordering.market import Market
from monitor.ordering.search import GRAIN, Verdict, largest_amount
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.schema.checks import BorrowQuestion, CheckAnswer, Refused, WithdrawalQuestion

__all__ = ["check_borrow", "check_withdrawal"]


def check_borrow(
    account: Account,
    question: BorrowQuestion,
    reference: Reference,
    prices: PriceBook,
    totals: Totals | None,
    now: int,
) -> CheckAnswer:
    """OV-2: answer whether the amount may be borrowed by hand. Raises `BadQuestion`.

    `totals` None: unknown; `now` in epoch ms.
    """
    market = Market(reference, prices, totals, now)
    coin = question.currency
    market.currency(coin)
    before = market.assess(account)
    asked = _borrowed(account, before, coin, question.amount, market)
    missing = (*before.unpriced, *asked.after.unpriced)
    if missing:
        return unpriced("borrow", account, market, missing)

    def verdict(amount: Decimal) -> Verdict:
        change = _borrowed(account, before, coin, amount, market)
        return Verdict(_equity_left(change), not list(borrowing_refusals(change)))

    breaks = borrow_breaks(account, before, coin, market)
    figures = asked.figures()
    figures[f"{coin}.amount_margin"] = _amount_margin(asked, coin, question.amount)
    return answered(
        "borrow",
        account,
        market,
        [*_short_of_margin(asked), *borrowing_refusals(asked)],
        figures,
        largest_amount(verdict, GRAIN, breaks),
        before=before,
        symbols=asked.after.symbols,
        concerned=asked.concerned,
        borrows=asked.added,
    )


def _borrowed(
    account: Account, before: Figures, coin: str, amount: Decimal, market: Market
) -> Change:
    copy = account.copy()
    balance = copy.balance(coin)
    balance.cash += amount
    balance.borrowed += amount
    after = market.assess(copy)
    extra = ZERO
    if market.policy.manual_margin_at_1x and not after.unpriced:
        held = after.currencies[coin]
        # What is borrowed counts in full; what stood before keeps its own rate.
        extra = amount * held.price * (ONE - _rate(after, coin))
    return Change(account, before, after, market, account.mode == "spot", {}, extra, coin)


def _rate(figures: Figures, coin: str) -> Decimal:
    """CU-8: return the share of the coin's borrowing that is frozen as margin."""
    held = figures.currencies[coin]
    if not held.potential_borrowing:
        return ONE / held.borrow_leverage
    return held.borrow_margin_usd / (held.potential_borrowing * held.price)


def _amount_margin(change: Change, coin: str, amount: Decimal) -> Decimal:
    """OV-2: return the margin of the amount alone, in USD."""
    price = change.after.currencies[coin].price
    at_1x = change.market.policy.manual_margin_at_1x
    return amount * price * (ONE if at_1x else _rate(change.after, coin))


def _equity_left(change: Change) -> Decimal:
    """OV-2: return adjusted equity less frozen margin in USD; no shortfall of before is excused."""
    after = change.after
    return after.adjusted_equity - after.initial_margin - change.extra_margin


def _short_of_margin(change: Change) -> Iterator[Refused]:
    if _equity_left(change) < 0:
        asked = change.after.initial_margin + change.extra_margin
        text = (
            f"adjusted equity {shown(change.after.adjusted_equity)} is below the margin "
            f"{shown(asked)} that is frozen"
        )
        yield Refused(rule="OV-2", message=text)


def check_withdrawal(
    account: Account,
    question: WithdrawalQuestion,
    reference: Reference,
    prices: PriceBook,
    totals: Totals | None,
    now: int,
) -> CheckAnswer:
    """RP-5: answer whether the amount may be withdrawn or transferred out. Raises `BadQuestion`.

    `totals` None: unknown; `now` in epoch ms.
    """
    market = Market(reference, prices, totals, now)
    coin = question.currency
    market.currency(coin)
    before = market.assess(account)
    asked = _withdrawn(account, before, coin, question.amount, market)
    missing = (*before.unpriced, *asked.after.unpriced)
    if missing:
        return unpriced("withdrawal", account, market, missing)
    held = before.currencies.get(coin)
    available = held.available_balance if held is not None else ZERO

    def verdict(amount: Decimal) -> Verdict:
        if amount > available:
            return Verdict(ZERO, allowed=False)
        change = _withdrawn(account, before, coin, amount, market)
        return Verdict(change.room, not list(borrowing_refusals(change)))

    refusals = []
    if question.amount > available:
        text = f"available balance {shown(available)} {coin} is below {shown(question.amount)}"
        refusals.append(Refused(rule="RP-5", message=text))
    refusals += [*account_refusal(asked), *borrowing_refusals(asked)]
    most: Decimal | None = available
    if available > 0 and not verdict(available).passes:
        breaks = withdrawal_breaks(account, before, coin, market)
        most = largest_amount(verdict, GRAIN, breaks, peaks=True)
    return answered(
        "withdrawal",
        account,
        market,
        refusals,
        {**asked.figures(), f"{coin}.available_balance": available},
        most,
        before=before,
        symbols=asked.after.symbols,
        concerned=(coin, *asked.concerned),
        borrows=asked.added,
    )


def _withdrawn(
    account: Account, before: Figures, coin: str, amount: Decimal, market: Market
) -> Change:
    copy = account.copy()
    copy.balance(coin).cash -= amount
    # What leaves may leave a debt behind: that is borrowing, and only auto-borrow does it.
    return Change(account, before, market.assess(copy), market, account.auto_borrow)
