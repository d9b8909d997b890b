"""What if prices moved, an order filled, cash went: every account's band before and after (WI-1)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import numpy as np

from monitor.account.state import Account
from monitor.exact import ZERO
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.report import assessment, band_of
from monitor.scenario.bulk import Bulk
from monitor.scenario.changed import changed
from monitor.scenario.frame import Frame
from monitor.scenario.joined import join
from monitor.scenario.messages import (
    AccountBeforeAfter,
    BandCounts,
    MovedAccount,
    WhatIfAnswer,
    WhatIfQuestion,
)
from monitor.scenario.revalued import RevaluedPrices
from monitor.scenario.shock import BadScenario, Moves, ShockedPrices, moves_of
from monitor.scenario.standing import BANDS, Standings, standings
from monitor.schema.commands import Band

__all__ = ["MOST_SHOWN", "what_if"]

MOST_SHOWN = 200
_CENT = Decimal("0.01")
LIQUIDATION = BANDS.index("liquidation")


def what_if(
    bulk: Bulk,
    prices: PriceBook,
    question: WhatIfQuestion,
    *,
    most: int = MOST_SHOWN,
    every: bool = False,
) -> WhatIfAnswer:
    """Return what the scenario does; `every`: show all accounts, whether their band changes or not.

    Raises `BadScenario`. Decisions near a level are made in decimals, and so are all figures of
    single accounts; sums in USD are floats' to the cent.
    """
    reference = bulk.reference
    moves = moves_of(question.shocks, reference, prices)
    shocked = RevaluedPrices(prices, reference, moves)
    name = question.account_id
    if name is None and (question.fills or question.cash):
        if len(bulk) != 1:
            raise BadScenario("account_id", "fills and cash are of one account: name it")
        (name,) = bulk
    before = after = bulk
    account = twin = None
    if name is not None:
        account = bulk.find(name)
        if account is None:
            raise BadScenario("account_id", f"{name} is not known")
        twin = changed(account, question.fills, question.cash, reference, prices)
        before, after = Bulk.of([account], reference), Bulk.of([twin], reference)
    frame = before.frame()
    first = standings(frame, before.find, reference, prices)
    second = standings(after.frame(), after.find, reference, shocked)
    everyone = every or name is not None
    shown = _shown(first, second, everyone=everyone, most=frame.count if every else most)
    return WhatIfAnswer(
        before=_counts(first),
        after=_counts(second),
        isolated_before=_isolated_counts(first),
        isolated_after=_isolated_counts(second),
        moved=tuple(_moved(frame.name(number), before, prices, after, shocked) for number in shown),
        moved_total=int(np.count_nonzero(first.bands != second.bands)),
        falling=int(np.count_nonzero(_worse(first, second))),
        bankrupt=second.bankrupt,
        shortfall_usd=_usd(second.shortfall),
        shortfall_before_usd=_usd(first.shortfall),
        notional_at_risk_usd=_usd(second.notional_at_risk),
        expected_reductions=_reductions(second, after.find, reference, shocked),
        prices=_prices_after(moves, shocked),
        account=None
        if account is None or twin is None
        else _in_full(account, twin, reference, prices, shocked),
    )


def _worse(first: Standings, second: Standings) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    assessed = first.priced & second.priced
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = assessed & (second.bands > first.bands)
    return found


def _shown(first: Standings, second: Standings, *, everyone: bool, most: int) -> list[int]:
    """Return the accounts to show, the lowest ratio after it first."""
    chosen = (
        np.arange(len(second.bands)) if everyone else np.flatnonzero(first.bands != second.bands)
    )
    ratio = _ratios(second)[chosen]
    found: list[int] = chosen[np.argsort(ratio, kind="stable")][:most].tolist()
    return found


def _ratios(found: Standings) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return ratios for sorting: infinite where there is none."""
    need = found.evaluation.requirement
    ratio = np.full(len(need), np.inf)
    np.divide(found.evaluation.equity, need, out=ratio, where=(need > 0.0) & found.priced)
    for number, figures in found.figures.items():
        ratio[number] = np.inf if figures.ratio is None else float(figures.ratio)
    return ratio


def _counts(found: Standings) -> BandCounts:
    return BandCounts.model_validate(dict(zip(BANDS, _tally(found.bands), strict=True)))


def _isolated_counts(found: Standings) -> BandCounts:
    return BandCounts.model_validate(dict(zip(BANDS, _tally(found.isolated_bands), strict=True)))


def _tally(bands: np.ndarray[tuple[int], np.dtype[np.int8]]) -> list[int]:
    counts: list[int] = np.bincount(bands, minlength=len(BANDS)).tolist()
    return counts


def _moved(
    name: str, before: Bulk, prices: PriceBook, after: Bulk, shocked: PriceBook
) -> MovedAccount:
    band_before, first = _looked_at(before, name, prices)
    band_after, second = _looked_at(after, name, shocked)
    return MovedAccount(
        account_id=name,
        band_before=band_before,
        band_after=band_after,
        ratio_before=None if first is None else first.ratio,
        ratio_after=None if second is None else second.ratio,
        adjusted_equity_before=None if first is None else first.adjusted_equity,
        adjusted_equity_after=None if second is None else second.adjusted_equity,
    )


def _looked_at(bulk: Bulk, name: str, prices: PriceBook) -> tuple[Band | None, Figures | None]:
    """Return an account's band and figures in decimals; None while it is unpriced or gone."""
    account = bulk.find(name)
    if account is None:
        return None, None
    figures = assess(account, bulk.reference, prices)
    if figures.unpriced:
        return None, None
    return band_of(figures, bulk.reference.policy), figures


def _reductions(
    found: Standings,
    find: Callable[[str], Account | None],
    reference: Reference,
    prices: PriceBook,
) -> int:
    """ES-4: return how many accounts cancelling all orders would not bring out of liquidation."""
    frame = found.frame
    in_danger = found.bands == LIQUIDATION
    with_orders = np.flatnonzero(in_danger & frame.ordered).tolist()
    without = int(np.count_nonzero(in_danger)) - len(with_orders)
    bare: dict[str, Account] = {}
    for number in with_orders:
        account = find(frame.name(number))
        if account is not None:
            bare[account.account_id] = account.copy()
            bare[account.account_id].orders = {}
    packs = [frame.packer.pack(account) for account in bare.values()]
    alone = Frame(frame.packer, frame.tiers, join(list(bare), packs))
    return without + standings(alone, bare.get, reference, prices).count(LIQUIDATION)


def _prices_after(moves: Moves, shocked: ShockedPrices) -> dict[str, Decimal]:
    found = {}
    for name in moves.coins:
        own, through = shocked.route(name)
        if all(key is None or key in shocked.prices for key in (own, through)):
            found[name] = shocked.index(name)
    for key, factor in moves.keys.items():
        symbol = key.rpartition("/")[0]
        found[symbol] = shocked.prices[key].price * factor
    return found


def _in_full(
    account: Account,
    twin: Account,
    reference: Reference,
    prices: PriceBook,
    shocked: PriceBook,
) -> AccountBeforeAfter:
    policy = reference.policy
    return AccountBeforeAfter(
        before=assessment(account, assess(account, reference, prices), policy),
        after=assessment(twin, assess(twin, reference, shocked), policy),
    )


def _usd(value: float) -> Decimal:
    """Return a sum of floats in cents."""
    return max(ZERO, Decimal(repr(value)).quantize(_CENT))
