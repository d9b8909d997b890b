"""The reference set at its start prices, in floats: what accounts are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache

from monitor.options import Kind as OptionKind
from monitor.options import implied_volatility, value, years_between
from streams.simulator.catalogue import Catalogue, Contract

__all__ = ["Coin", "Grid", "Listing", "Universe"]

_DELTA_STEP = 0.001
_BRIDGES = ("USDT", "BTC", "ETH")


@dataclass(frozen=True, slots=True)
class Grid:
    """Multiples of a step, written with as many digits as the step has."""

    step: float
    digits: int

    @classmethod
    def of(cls, step: Decimal) -> Grid:
        exponent = step.normalize().as_tuple().exponent
        return cls(float(step), max(0, -int(exponent)))

    def text(self, count: int) -> str:
        """Return `count` steps as a plain decimal."""
        return f"{count * self.step:.{self.digits}f}"


@dataclass(frozen=True, slots=True)
class Coin:
    """One currency: USD price, discount and borrow tables, and how popular it is."""

    name: str
    price: float
    collateral: bool
    discounts: tuple[tuple[float, float], ...]
    """(up_to in coin, rate)."""
    minimum_rate: float
    borrow_tiers: tuple[tuple[float, float, float], ...]
    """(up_to in coin, initial rate, maintenance rate)."""
    digits: int
    """Decimals of a balance: a step is worth less than a hundredth of a cent."""
    weight: float

    @property
    def rate(self) -> float:
        """Discount rate of the first slice."""
        if not self.collateral:
            return 0.0
        return self.discounts[0][1] if self.discounts else self.minimum_rate

    def discounted(self, amount: float) -> float:
        """CU-9: return the USD that `amount` coin counts for as collateral."""
        if amount <= 0:
            return amount * self.price
        if not self.collateral:
            return 0.0
        total, before = 0.0, 0.0
        for up_to, rate in self.discounts:
            if amount <= up_to:
                return (total + (amount - before) * rate) * self.price
            total += (up_to - before) * rate
            before = up_to
        return (total + (amount - before) * self.minimum_rate) * self.price

    def borrow_rates(self, amount: float) -> tuple[float, float]:
        """Return (initial, maintenance) rate of a debt of `amount` coin."""
        for up_to, initial, maintenance in self.borrow_tiers:
            if amount <= up_to:
                return initial, maintenance
        return self.borrow_tiers[-1][1:] if self.borrow_tiers else (0.0, 0.0)

    def text(self, amount: float) -> str:
        """Return an amount as a plain decimal."""
        return f"{round(amount, self.digits) + 0.0:.{self.digits}f}"  # + 0.0: no "-0"


@dataclass(frozen=True, slots=True)
class Listing:
    """One instrument at its start price."""

    contract: Contract
    price: float
    lots: Grid
    ticks: Grid
    size: float
    quote_price: float
    """USD price of the quote coin; of an option, of its settle coin."""
    base_price: float
    """USD price of the underlying coin."""
    option_rate: float = 0.0
    """MM-3: c."""
    years: float = 0.0
    """To the expiry of a dated contract."""
    volatility: float = 0.0
    """Of an option, that of its price at a forward equal to the index."""

    @property
    def is_option(self) -> bool:
        return self.contract.kind == "option"

    def usd(self, quantity: float) -> float:
        """MM-2: return the USD notional of |quantity|; of an option, that of its underlying."""
        if self.is_option:
            return abs(quantity) * self.size * self.base_price
        if self.contract.inverse:
            return abs(quantity) * self.size
        return abs(quantity) * self.size * self.price * self.quote_price

    @property
    def underlying_usd(self) -> float:
        """USD of the underlying that one contract moves with, at its price now."""
        return self.usd(1.0)

    def short_maintenance(self, contracts: float) -> float:
        """MM-3: return the USD maintenance of `contracts` of a short option."""
        factor = next((f for up_to, f in self.contract.factors if contracts <= up_to), 1.0)
        index, mark = self.base_price, self.price * self.quote_price
        base = index if self.contract.option_type == "call" else max(index, mark)
        return contracts * self.size * (self.option_rate * base * factor + mark)

    def maintenance(self, contracts: float) -> float:
        """Return the USD maintenance of `contracts`; of an option, of so many short ones."""
        if self.is_option:
            return self.short_maintenance(contracts)
        return self.usd(contracts) * self.maintenance_rate(contracts)

    def worth(self, spot: float = 0.0, volatility: float = 1.0) -> float:
        """Return the USD value of one option after relative moves: `spot` by, `volatility` times."""
        contract, index = self.contract, self.base_price * (1.0 + spot)
        if contract.option_type is None:
            raise ValueError(f"{contract.name} is no option")
        sigma = self.volatility * volatility
        return self.size * _worth(contract.option_type, index, contract.strike, self.years, sigma)

    @property
    def delta_usd(self) -> float:
        """USD that one contract gains for a rise of 100 %, by its slope now."""
        if not self.is_option:
            return self.underlying_usd
        return (self.worth(_DELTA_STEP) - self.worth(-_DELTA_STEP)) / (2 * _DELTA_STEP)

    def maintenance_rate(self, contracts: float) -> float:
        """Return the rate of the tier that `contracts` fall into."""
        for up_to, rate in self.contract.tiers:
            if contracts <= up_to:
                return rate
        return self.contract.tiers[-1][1]


@dataclass(frozen=True)
class Universe:
    """Everything that has a price."""

    coins: Mapping[str, Coin]
    spot: Mapping[tuple[str, str], Listing]
    linear: Mapping[str, Listing]
    """Underlying → perpetual settled in USDT."""
    inverse: Mapping[str, Listing]
    """Underlying → perpetual settled in the coin."""
    options: tuple[Listing, ...]
    """Those with time to expiry."""
    futures: Mapping[str, tuple[Listing, ...]]
    """Underlying → dated linear futures, by name."""
    takers: Mapping[str, tuple[float, float]]
    """Fee schedule → (spot, derivative) taker rate."""
    by_name: Mapping[str, Listing] = field(default_factory=dict)
    tradable: tuple[str, ...] = ()
    """Coins that count as collateral and trade against USDT."""

    @classmethod
    def of(cls, catalogue: Catalogue, prices: Mapping[str, Decimal], ts: int = 0) -> Universe:
        """Keep what `prices` (by symbol) cover at `ts` (epoch ms).

        Raises ValueError when USDT is not among it.
        """
        values = {symbol: float(price) for symbol, price in prices.items()}
        index = {name: _index(name, values) for name in catalogue.currencies}
        coins = {
            name: _coin(name, price, catalogue)
            for name, price in index.items()
            if price is not None
        }
        if "USDT" not in coins:
            raise ValueError(f"prices: USDT-USD is missing among {sorted(values)[:20]}")
        spot: dict[tuple[str, str], Listing] = {}
        linear: dict[str, Listing] = {}
        inverse: dict[str, Listing] = {}
        options: list[Listing] = []
        futures: dict[str, tuple[Listing, ...]] = {}
        for contract in catalogue.contracts.values():
            if not {contract.base, contract.settle} <= {*coins}:
                continue
            base = coins[contract.base].price
            quote = coins[contract.quote].price if contract.quote in coins else 1.0
            if contract.is_spot:
                listing = _listing(contract, base / quote, quote, base)
                spot[contract.base, contract.quote] = listing
            elif contract.name in values and contract.kind == "swap":
                listing = _listing(contract, values[contract.name], quote, base)
                (inverse if contract.inverse else linear)[contract.base] = listing
            elif contract.name in values and contract.kind == "future" and not contract.inverse:
                listing = _listing(contract, values[contract.name], quote, base)
                years = years_between(ts, contract.expiry)
                known = futures.get(contract.base, ())
                futures[contract.base] = (*known, replace(listing, years=years))
            elif contract.name in values and contract.kind == "option" and contract.expiry > ts:
                settle = coins[contract.settle].price
                rate = catalogue.option_rates.get(contract.base, 0.0)
                listing = _listing(contract, values[contract.name], settle, base, rate)
                options.append(_with_volatility(listing, ts))
        takers = {
            name: (float(fees.spot_taker), float(fees.derivative_taker))
            for name, fees in catalogue.fees.items()
        }
        takers.setdefault("default", (0.001, 0.0005))
        dated = [listing for found in futures.values() for listing in found]
        listings = (*spot.values(), *linear.values(), *inverse.values(), *options, *dated)
        names = {listing.contract.name: listing for listing in listings}
        tradable = tuple(base for base, quote in spot if quote == "USDT" and coins[base].rate)
        return cls(coins, spot, linear, inverse, tuple(options), futures, takers, names, tradable)


@lru_cache(maxsize=10_000)
def _worth(kind: OptionKind, index: float, strike: float, years: float, sigma: float) -> float:
    """Return an option's value: every account that is drawn asks for the same moves again."""
    return value(kind, index, strike, years, sigma)


def _index(name: str, values: Mapping[str, float]) -> float | None:
    if f"{name}-USD" in values:
        return values[f"{name}-USD"]
    for bridge in _BRIDGES:
        if f"{name}-{bridge}" in values and f"{bridge}-USD" in values:
            return values[f"{name}-{bridge}"] * values[f"{bridge}-USD"]
    return None


def _coin(name: str, price: float, catalogue: Catalogue) -> Coin:
    entry = catalogue.currencies[name]
    unit = price if entry.tier_unit == "usd" else 1.0
    return Coin(
        name=name,
        price=price,
        collateral=entry.collateral,
        discounts=tuple((float(t.up_to) / unit, float(t.rate)) for t in entry.discount_tiers),
        minimum_rate=float(entry.minimum_rate),
        borrow_tiers=tuple(
            (float(t.up_to), float(t.initial), float(t.maintenance)) for t in entry.borrow_tiers
        ),
        digits=8 if price >= 100 else 6 if price >= 1 else 4,
        weight=1.0 / min(entry.liquidity_rank, 50) ** 0.8,
    )


def _with_volatility(listing: Listing, ts: int) -> Listing:
    contract = listing.contract
    years = years_between(ts, contract.expiry)
    usd = listing.price * listing.quote_price
    kind = contract.option_type or "call"
    sigma = implied_volatility(kind, usd, listing.base_price, contract.strike, years)
    return replace(listing, years=years, volatility=sigma)


def _listing(
    contract: Contract,
    price: float,
    quote_price: float,
    base_price: float,
    option_rate: float = 0.0,
) -> Listing:
    return Listing(
        contract,
        price,
        Grid.of(contract.lot),
        Grid.of(contract.tick),
        float(contract.size),
        quote_price,
        base_price,
        option_rate,
    )
