"""What an account has on one underlying: notional in USD, and which side it is on (WI-2)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from monitor.margin.options import forward_mark
from monitor.options import coin_delta
from monitor.prices import MissingPrice, PriceBook
from monitor.reference import Reference
from monitor.scenario.evaluation import Evaluation
from monitor.scenario.frame import Frame
from monitor.scenario.packing import Packer
from monitor.scenario.tables import Bools, Floats, PriceArrays, summed

__all__ = ["Exposure", "Underlying", "coin_deltas", "exposure", "underlying_of"]


class Underlying(NamedTuple):
    """An underlying and what moves with it."""

    name: str
    coin: int
    coins: Bools
    """Its own coin, by coin."""
    marks: Bools
    """The instruments on it, by instrument."""


class Exposure(NamedTuple):
    """By account of a frame."""

    notional: Floats
    """USD: positions at mark (short options at index, long ones none) and debt of the coin. Where
    there is neither, the coin held, so far as it stands for positions and debts in others."""
    delta: Floats
    """RD-2, in coin, the coin's own equity included."""


def underlying_of(packer: Packer, name: str) -> Underlying:
    """Return an underlying by its currency."""
    coins = np.zeros(len(packer.coins), dtype=np.bool_)
    coins[packer.coin_ids[name]] = True
    instruments = packer.reference.instruments
    marks = np.array(
        [instruments[other].underlying == name for other in packer.instruments], dtype=np.bool_
    )
    return Underlying(name, packer.coin_ids[name], coins, marks)


def coin_deltas(packer: Packer, prices: PriceBook, now: int, name: str) -> Floats:
    """RD-2: return the delta of one coin of each option on an underlying; 0 of all other instruments."""
    reference: Reference = packer.reference
    found = np.zeros(len(packer.instruments))
    for number, other in enumerate(packer.instruments):
        entry = reference.instruments[other]
        if entry.kind != "option" or entry.underlying != name:
            continue
        try:
            index, mark = prices.index(name), prices.mark(other)
        except MissingPrice:
            continue
        future = forward_mark(entry, reference, prices)
        found[number] = float(coin_delta(entry, mark, index if future is None else future[1], now))
    return found


def exposure(
    frame: Frame,
    prices: PriceArrays,
    evaluation: Evaluation,
    underlying: Underlying,
    deltas: Floats,
) -> Exposure:
    """Return what each account has on the underlying at these prices (`evaluation` is theirs)."""
    held = slice(0, frame.positions)
    mine = underlying.marks[frame.leg_instrument[held]]
    instrument, account = frame.leg_instrument[held][mine], frame.leg_account[held][mine]
    size, option = frame.leg_size[held][mine], frame.leg_option[held][mine]
    inverse = frame.leg_inverse[held][mine]
    mark = prices.of_marks(instrument, account)
    quote = prices.of_coins(frame.leg_coin[held][mine], account)
    worth = np.where(inverse, 1.0, mark * quote)
    notional = summed(account, np.where(option, 0.0, np.abs(size) * worth), frame.count)
    short = frame.short_coin == underlying.coin
    index = prices.of_coins(frame.short_coin[short], frame.short_account[short])
    notional += summed(frame.short_account[short], frame.short_held[short] * index, frame.count)
    coins = np.where(inverse, size / mark, np.where(option, size * deltas[instrument], size))
    delta = summed(account, coins, frame.count)
    own = frame.coin == underlying.coin
    holders = frame.account[own]
    price = prices.of_coins(frame.coin[own], holders)
    equity = evaluation.equities[own]
    delta += summed(holders, equity, frame.count)
    notional += summed(holders, evaluation.borrowed[own] * price, frame.count)
    collateral = summed(holders, np.maximum(equity, 0.0) * price, frame.count)
    alone = np.minimum(collateral, evaluation.value)
    return Exposure(np.where(notional > 0.0, notional, alone), delta)
