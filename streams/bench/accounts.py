"""Accounts by the million: a few thousand drawn ones, each varied in its cash.

What a variant costs is a few string operations, so the states of a million accounts, as the
journal holds them, are made in seconds. A variant's cash moves its ratio by up to a tenth, so
no two accounts have their levels at the same price.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from monitor.account import Account, Balance, IsolatedPosition, Position
from monitor.account.state import isolated_key, position_key
from monitor.engine.resting import Stored
from monitor.escalation import Episode
from monitor.margin import assess
from streams.bench.market import opening_prices, reference, universe
from streams.simulator.universe import Listing, Universe

__all__ = ["ACCOUNTS_WORDS", "account_id", "five_currencies", "states"]

ACCOUNTS_WORDS = (
    "20 % spot with a debt, 50 % multi-currency, 15 % with an isolated position besides, "
    "15 % inverse; 4 to 6 exposures; 4 % with a ratio from 1.1 to 3.7, 6 % up to 6, the rest "
    "around 25"
)
_DRAWN = 4_000
_SPREAD = 0.1
"""Of adjusted equity: by how much variants of one drawn account differ."""
_LARGEST_USD = 150_000.0
_LOWEST = Decimal("1.2")
"""No account begins in liquidation, whatever its variant."""
_CASH, _ID = "777777.777777", "@ID@"

_encode = msgspec.json.Encoder().encode


def account_id(number: int) -> str:
    """Return the id of the account made `number`-th."""
    return f"acc-{number:07d}"


def states(count: int, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """Yield (account id, state as the journal holds it) of `count` accounts.

    The same seed gives the same bytes.
    """
    rng = random.Random(seed)
    drawn = [_Drawn.of(rng, universe()) for _ in range(min(count, _DRAWN))]
    for number in range(count):
        one, name = drawn[number % len(drawn)], account_id(number)
        cash = f"{one.cash + one.room * rng.uniform(-_SPREAD, _SPREAD):.6f}"
        yield name, b"".join((one.head, name.encode(), one.middle, cash.encode(), one.tail))


def five_currencies() -> Account:
    """Return the account whose exact assessment is measured: five currencies, four positions."""
    prices = universe()
    draft = _Draft(prices, "multi_currency", 100_000.0)
    for coin in ("BTC", "ETH", "SOL", "BNB"):
        draft.hold(coin, 10_000.0)
    for coin in ("BTC", "ETH", "SOL", "XRP"):
        draft.open(prices.linear[coin], 50_000.0 if coin != "SOL" else -50_000.0, 0.01)
    return draft.account("five", f"{40_000.0 - draft.profit:.6f}")


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The bytes of one state around id and cash."""

    head: bytes
    middle: bytes
    tail: bytes
    cash: float
    room: float
    """Adjusted equity in USD."""

    @classmethod
    def of(cls, rng: random.Random, prices: Universe) -> _Drawn:
        while True:
            draft = _draw(rng, prices)
            cash = draft.cash - draft.profit
            whole = draft.account(_ID, f"{cash:.6f}")
            figures = assess(whole, reference(), opening_prices())
            # Small accounts hold few contracts, and whole ones: some come out too near.
            if figures.ratio is None or figures.ratio > _LOWEST:
                break
        state = _encode(Stored(draft.account(_ID, _CASH), Episode()))
        head, middle, tail = _parts(state)
        return cls(head, middle, tail, cash, float(figures.adjusted_equity))


def _draw(rng: random.Random, prices: Universe) -> _Draft:
    kind = rng.choices(("spot", "cross", "isolated", "inverse"), (20, 50, 15, 15))[0]
    usd = min(500.0 * rng.paretovariate(0.95), _LARGEST_USD)
    target = _draw_ratio(rng)
    if kind == "spot":
        return _spot(rng, prices, usd, target)
    draft = _multi(rng, prices, usd, target, inverse=kind == "inverse")
    if kind == "isolated":
        draft.isolate(rng, 0.3 * usd, _draw_ratio(rng))
    return draft


def _parts(state: bytes) -> tuple[bytes, bytes, bytes]:
    head, _, rest = state.partition(_ID.encode())
    middle, _, tail = rest.partition(_CASH.encode())
    return head, middle, tail


def _draw_ratio(rng: random.Random) -> float:
    place = rng.random()
    if place < 0.04:
        return rng.uniform(1.25, 3.4)
    if place < 0.1:
        return rng.uniform(3.6, 6.0)
    return max(6.0, rng.lognormvariate(3.2, 1.0))


class _Draft:
    """An account on its way; all USD figures count discounts."""

    def __init__(self, prices: Universe, mode: str, equity: float) -> None:
        self.prices = prices
        self.mode = mode
        self.equity = equity
        self.cash = 0.0
        """USDT besides what positions gain."""
        self.profit = 0.0
        """What linear positions have gained so far, USDT."""
        self.balances: dict[str, Balance] = {}
        self.positions: dict[str, Position] = {}
        self.isolated: dict[str, IsolatedPosition] = {}

    def hold(self, coin: str, usd: float) -> None:
        """Hold so much of a coin that it counts for `usd`."""
        entry = self.prices.coins[coin]
        amount = usd / (entry.price * entry.rate)
        self.balances[coin] = Balance(Decimal(entry.text(amount)))

    def owe(self, coin: str, usd: float) -> None:
        entry = self.prices.coins[coin]
        borrowed = Decimal(entry.text(usd / entry.price))
        self.balances[coin] = Balance(Decimal(0), borrowed)

    def rate(self, listing: Listing, usd: float) -> float:
        """Return what 1 USD of a position of this size asks: maintenance and fee."""
        lots = abs(usd) / listing.usd(1.0)
        return listing.maintenance_rate(lots) + self.prices.takers["default"][1]

    def open(self, listing: Listing, usd: float, gain: float) -> None:
        """Open a position of `usd` (negative short) that has gained by `gain` of its value."""
        lots = max(1, round(abs(usd) / listing.usd(listing.lots.step)))
        sign = 1 if usd > 0 else -1
        entry = max(1, round(listing.price / (1 + sign * gain) / listing.ticks.step))
        quantity = sign * lots * listing.lots.step
        name = listing.contract.name
        self.positions[position_key(name, "net")] = Position(
            name,
            "net",
            sign * Decimal(listing.lots.text(lots)),
            Decimal(listing.ticks.text(entry)),
        )
        if not listing.contract.inverse:
            self.profit += (listing.price - entry * listing.ticks.step) * quantity * listing.size

    def isolate(self, rng: random.Random, usd: float, ratio: float) -> None:
        """Open an isolated position with a margin that gives it this ratio."""
        listing = self.prices.linear[rng.choice(sorted(self.prices.linear))]
        lots = max(1, round(usd / listing.usd(listing.lots.step)))
        name = listing.contract.name
        worth = listing.usd(lots * listing.lots.step)
        margin = min(ratio * worth * self.rate(listing, worth), worth)
        price = listing.ticks.text(max(1, round(listing.price / listing.ticks.step)))
        self.isolated[isolated_key(name, "net")] = IsolatedPosition(
            name,
            "net",
            Decimal(listing.lots.text(lots)),
            Decimal(price),
            Decimal(f"{margin:.6f}"),
            "USDT",
            Decimal(max(1, min(50, round(worth / margin)))),
        )

    def account(self, name: str, cash: str) -> Account:
        """Return the account with so much USDT."""
        return Account(
            name,
            known=True,
            mode="spot" if self.mode == "spot" else "multi_currency",
            auto_borrow=self.mode != "spot",
            balances={"USDT": Balance(Decimal(cash)), **self.balances},
            positions=self.positions,
            isolated=self.isolated,
            account_seq=1,
        )


def _spot(rng: random.Random, prices: Universe, usd: float, target: float) -> _Draft:
    """Coins bought with, or beside, a borrowed one."""
    draft = _Draft(prices, "spot", usd)
    owed, *held = rng.sample(prices.tradable, rng.choice((3, 4)))
    fee = prices.takers["default"][0]
    entry = prices.coins[owed]
    debt = 0.0
    for _ in range(3):  # the tier follows the size, and the size the tier
        maintenance = entry.borrow_rates(debt / entry.price)[1]
        asked = maintenance + (1 + maintenance) * fee
        debt = usd / (target * asked)
        debt = min(debt, 10 * usd)
    draft.owe(owed, debt)
    draft.equity = min(usd, target * debt * asked)
    assets = draft.equity + debt
    parts = [rng.expovariate(1.0) for _ in held]
    for coin, part in zip(held, parts, strict=True):
        draft.hold(coin, assets * 0.6 * part / sum(parts))
    draft.cash = assets * 0.4
    return draft


def _multi(
    rng: random.Random, prices: Universe, usd: float, target: float, *, inverse: bool
) -> _Draft:
    """Perpetuals on mixed collateral, most of them long."""
    draft = _Draft(prices, "multi_currency", usd)
    listings: list[Listing] = []
    if inverse:
        base = rng.choice(sorted(prices.inverse))
        listings.append(prices.inverse[base])
        draft.hold(base, 0.4 * usd)
    else:
        for coin in rng.sample(prices.tradable, rng.choice((1, 2))):
            draft.hold(coin, 0.2 * usd)
    held = sum(1 for _ in draft.balances)
    wanted = rng.choice((4, 5, 6)) - 1 - held - len(listings)
    bases = rng.sample(sorted(prices.linear), max(1, wanted))
    listings += [prices.linear[base] for base in bases]
    parts = [rng.expovariate(1.0) + 0.1 for _ in listings]
    shares = [part / sum(parts) for part in parts]
    worth = usd / (target * 0.006)
    for _ in range(3):
        rates = [draft.rate(one, worth * s) for one, s in zip(listings, shares, strict=True)]
        worth = usd / (target * sum(r * s for r, s in zip(rates, shares, strict=True)))
    for listing, share in zip(listings, shares, strict=True):
        short = rng.random() < 0.3
        gain = max(-0.05, min(0.05, rng.gauss(0.0, 0.2) * usd / worth))
        draft.open(listing, -worth * share if short else worth * share, gain)
    draft.cash = 0.6 * usd
    return draft
