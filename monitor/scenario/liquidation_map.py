"""How much comes to the levels at which price of an underlying: the liquidation map (WI-2)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import numpy as np

from monitor.exact import ONE, ZERO
from monitor.prices import PriceBook
from monitor.scenario.bulk import Bulk
from monitor.scenario.crossings import LEVELS, NOWHERE, Road
from monitor.scenario.evaluation import evaluate
from monitor.scenario.exposure import Underlying, coin_deltas, exposure, underlying_of
from monitor.scenario.frame import Frame
from monitor.scenario.isolated import isolated_lines
from monitor.scenario.messages import LevelCount, LiquidationMap, MapBucket
from monitor.scenario.shock import BadScenario
from monitor.scenario.standing import BANDS, Standings, standings
from monitor.scenario.tables import Bools, Floats, Ints, price_arrays

__all__ = ["MOVES", "liquidation_map"]


def _steps(*parts: tuple[str, str]) -> tuple[Decimal, ...]:
    """Return percentages from 0: (step, up to) for each part."""
    found = [ZERO]
    for step, up_to in parts:
        while found[-1] < Decimal(up_to):
            found.append(found[-1] + Decimal(step))
    return tuple(found)


MOVES = _steps(("0.25", "10"), ("0.5", "20"), ("1", "50"))
"""Percent, upwards and downwards alike; the first is where the price is."""
AT_RISK = (1, 3, 5, 10)
MOST_EXACT = 50
"""Accounts that only decimals know and that are walked along the whole map."""
_CENT = Decimal("0.01")


def liquidation_map(
    bulk: Bulk, prices: PriceBook, name: str, *, now: int, most_exact: int = MOST_EXACT
) -> LiquidationMap:
    """Return the map of an underlying, by its currency. Raises `BadScenario`.

    Its index and all marks on it move together, every other currency keeps its price (as in MR-4).
    `now` (epoch ms) is what option deltas are of. Counts are decided in decimals within rounding of
    a level; notional is summed in floats.
    """
    packer, reference = bulk.packer, bulk.reference
    if name not in packer.coin_ids or name == "USD":
        raise BadScenario(
            "symbol", f"{name} is no currency of the reference set with a price to move"
        )
    arrays = price_arrays(packer, prices)
    if np.isnan(arrays.index[packer.coin_ids[name]]):
        raise BadScenario("symbol", f"{name} has no index price")
    underlying = underlying_of(packer, name)
    everyone = bulk.frame()
    touched = everyone.touching(underlying.coins, underlying.marks) & everyone.known
    frame = everyone.only(touched & (everyone.active | everyone.exact | everyone.margined))
    stands = standings(frame, bulk.find, reference, prices, arrays=arrays)
    made = _Map(bulk, frame, stands, underlying, prices, now, most_exact)
    index = prices.index(name)
    down, up = made.side(-1), made.side(1)
    buckets = [
        _bucket(-move, index, counts)
        for move, counts in zip(reversed(MOVES[1:]), reversed(down), strict=True)
    ]
    buckets += [_bucket(move, index, counts) for move, counts in zip(MOVES[1:], up, strict=True)]
    policy = reference.policy
    return LiquidationMap(
        symbol=name,
        price=index,
        ts=now,
        levels=(policy.level("warning", "default"), policy.level("liquidation", "default")),
        now=_bucket(ZERO, index, made.present()),
        buckets=tuple(buckets),
        at_risk=_at_risk(buckets),
        accounts=everyone.count,
        concerned=int(np.count_nonzero(touched)),
        unassessed=made.left_out + stands.count(BANDS.index("unassessed")),
    )


class _Tally:
    """What crosses one level in one bucket."""

    __slots__ = ("accounts", "isolated", "long", "short")

    def __init__(self) -> None:
        self.accounts = self.isolated = 0
        self.long = self.short = 0.0

    def add(self, notional: Floats, is_long: Bools) -> None:
        self.long += float(notional[is_long].sum())
        self.short += float(notional[~is_long].sum())

    def message(self) -> LevelCount:
        return LevelCount(
            accounts=self.accounts,
            isolated=self.isolated,
            long_usd=_usd(self.long),
            short_usd=_usd(self.short),
        )


_Tallies = list[_Tally]
"""By level."""


class _Map:
    def __init__(
        self,
        bulk: Bulk,
        frame: Frame,
        stands: Standings,
        underlying: Underlying,
        prices: PriceBook,
        now: int,
        most_exact: int,
    ) -> None:
        self.bulk, self.frame, self.stands, self.underlying = bulk, frame, stands, underlying
        self.prices = prices
        self.arrays = price_arrays(bulk.packer, prices)
        self.deltas = coin_deltas(bulk.packer, prices, now, underlying.name)
        self.lines = isolated_lines(frame, self.arrays, underlying.coins, underlying.marks)
        # Of each level: who is above it now, by account and by isolated position.
        self.above = [stands.bands < band for band in (1, 2)]
        self.above_isolated = [self._touched(stands.isolated_bands < band) for band in (1, 2)]
        exact = np.flatnonzero(frame.exact & (stands.bands <= 2)).tolist()
        self.walked, self.left_out = exact[:most_exact], len(exact[most_exact:])

    def _touched(self, chosen: Bools) -> Bools:
        """Leave out isolated positions that the underlying does not move."""
        rows, coins = self.frame.isolated, self.underlying.coins
        moved = coins[rows["base"]] | coins[rows["quote"]] | coins[rows["margin_coin"]]
        found: Bools = chosen & moved
        return found

    def side(self, sign: int) -> list[_Tallies]:
        """Return what crosses on the way up (1) or down (-1), by bucket and level."""
        factors = tuple(ONE + sign * move / 100 for move in MOVES)
        road = Road(
            self.underlying, factors, self.bulk.reference, self.prices, self.arrays, self.bulk.find
        )
        inside = [open_ & ~self.frame.exact for open_ in self.above]
        found = road.crossings(self.frame, inside)
        self._walk_exact(road, found)
        own = road.isolated_crossings(self.frame, self.lines, self.above_isolated)
        tallies = [[_Tally(), _Tally()] for _ in factors]
        for number in range(len(LEVELS)):
            self._count(found[number], factors, tallies, number)
            self._count_isolated(own[number], factors, tallies, number)
        return tallies[1:]

    def present(self) -> _Tallies:
        """Return what stands at or below the levels already."""
        tallies = [[_Tally(), _Tally()]]
        bands, own = self.stands.bands, self.stands.isolated_bands
        everywhere = self._touched(np.ones(len(own), dtype=np.bool_))
        for number, band in enumerate((1, 2)):
            at = np.where((bands >= band) & (bands <= 2), 0, NOWHERE)
            self._count(at, (ONE,), tallies, number)
            mine = np.where((own >= band) & (own <= 2) & everywhere, 0, NOWHERE)
            self._count_isolated(mine, (ONE,), tallies, number)
        return tallies[0]

    def _count(
        self, places: Ints, factors: tuple[Decimal, ...], tallies: list[_Tallies], number: int
    ) -> None:
        """Add accounts to the buckets where they cross, with what they have there."""
        crossing = np.flatnonzero(places != NOWHERE)
        if not len(crossing):
            return
        at = places[crossing]
        part = self.frame.only(crossing)
        moved = self.arrays.apart(
            self.underlying.coins,
            self.underlying.marks,
            np.array([float(factor) for factor in factors])[at],
        )
        found = exposure(part, moved, evaluate(part, moved), self.underlying, self.deltas)
        for place in np.unique(at).tolist():
            here = at == place
            tally = tallies[place][number]
            tally.accounts += int(np.count_nonzero(here))
            tally.add(found.notional[here], found.delta[here] >= 0.0)

    def _count_isolated(
        self, places: Ints, factors: tuple[Decimal, ...], tallies: list[_Tallies], number: int
    ) -> None:
        rows, crossing = self.frame.isolated, np.flatnonzero(places != NOWHERE)
        at = places[crossing]
        moves = np.array([float(factor) for factor in factors])[at] - 1.0
        notional = self.lines.notional(crossing, moves)
        for place in np.unique(at).tolist():
            here = at == place
            tally = tallies[place][number]
            tally.isolated += int(np.count_nonzero(here))
            tally.add(notional[here], rows["size"][crossing[here]] >= 0.0)

    def _walk_exact(self, road: Road, found: list[Ints]) -> None:
        """Look at the accounts that only decimals know, place by place."""
        policy = self.bulk.reference.policy
        for number in self.walked:
            account = self.bulk.find(self.frame.name(number))
            waiting = [] if account is None else [n for n in (0, 1) if self.above[n][number]]
            for place in range(1, len(road.factors)):
                if account is None or not waiting:
                    break
                ratio = road.exactly(account, place).ratio
                for level in list(waiting):
                    limit = policy.level(LEVELS[level], account.mode)
                    if ratio is not None and ratio <= limit:
                        found[level][number] = place
                        waiting.remove(level)


def _bucket(move: Decimal, index: Decimal, counts: _Tallies) -> MapBucket:
    first, second = (tally.message() for tally in counts)
    return MapBucket(move=move, price=index * (ONE + move / 100), level3=first, level1=second)


def _at_risk(buckets: Iterable[MapBucket]) -> dict[str, Decimal]:
    """Return, by move, the notional that crosses the liquidation level between now and there."""
    found: dict[str, Decimal] = {}
    known = list(buckets)
    for move in (*(-m for m in reversed(AT_RISK)), *AT_RISK):
        found[str(move)] = sum(
            (
                b.level1.long_usd + b.level1.short_usd
                for b in known
                if (move < 0 and move <= b.move < 0) or (move > 0 and 0 < b.move <= move)
            ),
            ZERO,
        )
    return found


def _usd(value: float) -> Decimal:
    return max(ZERO, Decimal(repr(value)).quantize(_CENT))
