"""Which index and mark symbols a recorded series feeds."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import yaml

from streams.replay.exceptions import SymbolMapError
from streams.replay.ticks import Kind, Point, Quote

Target = tuple[str, Kind]

_KINDS: tuple[Kind, ...] = get_args(Kind)
_CONSTANTS = "constants"
# A crash recorded in USDT has no price of USDT itself: it stands at 1 unless the file has one.
_DEFAULT_CONSTANTS = MappingProxyType({"USDT-USD": "1"})
_FORM = (
    "accepted: series → {index: [symbols], mark: [symbols]}, such as "
    "`BTC-USDT: {index: [BTC-USD], mark: [BTC-USDT-SWAP]}`, an empty entry to leave a series out, "
    "and `constants: {USDT-USD: '1'}`"
)

# Names as venues write them → (coin, quote, rest) in the form BTC-USDT[-SWAP].
_VENUE_NAMES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"([A-Z0-9]+?)(USDT|USDC)"), r"\1-\2"),
    (re.compile(r"([A-Z0-9]+?)(USDT|USDC)_(\d{6})"), r"\1-\2-\3"),
    (re.compile(r"([A-Z0-9]+?)USD_PERP"), r"\1-USD-SWAP"),
    (re.compile(r"([A-Z0-9]+?)USD_(\d{6})"), r"\1-USD-\2"),
    (re.compile(r"([A-Z0-9]+)-PERPETUAL"), r"\1-USD-SWAP"),
    (re.compile(r"XBTUSD"), "BTC-USD-SWAP"),
)
_CANONICAL = re.compile(r"([A-Z0-9]+)-(USD|USDT|USDC)(?:-(SWAP|\d{6}(?:-[^-]+-[CP])?))?")
# Of several series of one coin the best one feeds its index: an index as such, then spot, then
# perpetuals; dated futures and options never do.
_INDEX_ORDER = ("USD", "USDT", "USDC", "USDT-SWAP", "USD-SWAP", "USDC-SWAP")


@dataclass(frozen=True, slots=True)
class SymbolMap:
    """Series → symbols, and symbols that stand still at a price.

    A series that is not named follows the default: a spot-like series `BTC-USDT` (or Binance's
    `BTCUSDT`) feeds the index `BTC-USD` and, when the file has no perpetual of its own, the mark
    `BTC-USDT-SWAP`; a perpetual, future or option feeds its own mark. So USDT counts as 1 unless
    the file prices it.
    """

    entries: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=lambda: dict(_DEFAULT_CONSTANTS))

    def resolve(self, series: Sequence[str]) -> dict[str, tuple[Target, ...]]:
        """Return the symbols of each series of a file; empty for one that feeds nothing."""
        default = _default_targets(series)
        return {name: self._targets(name, default[name]) for name in series}

    def _targets(self, name: str, default: tuple[Target, ...]) -> tuple[Target, ...]:
        for key in (name, _canonical(name)):
            if key in self.entries:
                return self.entries[key]
        base, kind = _split(name)
        for key in (base, _canonical(base)):
            if kind is not None and key in self.entries:
                return tuple(target for target in self.entries[key] if target[1] == kind)
        return default


def load_map(path: Path) -> SymbolMap:
    """Read a symbol map from YAML; raise SymbolMapError with every error in it."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SymbolMapError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SymbolMapError(f"{path.name}: not YAML: {error}; {_FORM}") from error
    if not isinstance(raw, dict):
        raise SymbolMapError(f"{path.name}: {type(raw).__name__} instead of a mapping; {_FORM}")
    errors: list[str] = []
    constants = _read_constants(raw.pop(_CONSTANTS, dict(_DEFAULT_CONSTANTS)), errors)
    entries = {str(name): _read_entry(str(name), entry, errors) for name, entry in raw.items()}
    if errors:
        raise SymbolMapError(f"{path.name}: {'; '.join(errors)}; {_FORM}")
    return SymbolMap(entries, constants)


def _read_entry(name: str, entry: Any, errors: list[str]) -> tuple[Target, ...]:
    if entry is None:
        return ()
    if not isinstance(entry, dict):
        errors.append(f"{name}: {entry!r} instead of index and mark")
        return ()
    errors.extend(f"{name}: unknown key {key!r}" for key in entry if key not in _KINDS)
    targets: list[Target] = []
    for kind in _KINDS:
        symbols = entry.get(kind) or []
        symbols = [symbols] if isinstance(symbols, str) else symbols
        if not isinstance(symbols, list) or not all(
            isinstance(symbol, str) and symbol for symbol in symbols
        ):
            errors.append(f"{name}: {kind} is {symbols!r} instead of a list of symbols")
            continue
        targets.extend((symbol, kind) for symbol in symbols)
    return tuple(dict.fromkeys(targets))


def _read_constants(raw: Any, errors: list[str]) -> dict[str, str]:
    if not isinstance(raw, dict):
        errors.append(f"{_CONSTANTS}: {raw!r} instead of symbol → price")
        return {}
    constants: dict[str, str] = {}
    for symbol, price in raw.items():
        try:
            value = Decimal(str(price))
        except InvalidOperation:
            value = Decimal(0)
        if not (value.is_finite() and value > 0):
            errors.append(f"{_CONSTANTS}: {symbol}: {price!r} is not a positive decimal")
        constants[str(symbol)] = format(value, "f")
    return constants


def _split(name: str) -> tuple[str, Kind | None]:
    base, _, suffix = name.rpartition("/")
    for kind in _KINDS:
        if suffix == kind and base:
            return base, kind
    return name, None


def _canonical(name: str) -> str:
    for pattern, form in _VENUE_NAMES:
        match = pattern.fullmatch(name)
        if match is not None:
            return match.expand(form)
    return name


def _default_targets(series: Sequence[str]) -> dict[str, tuple[Target, ...]]:
    read = {name: _Series.of(name) for name in series}
    marked = {s.mark for s in read.values() if s is not None and s.own_mark}
    best: dict[str, int] = {}
    for one in read.values():
        if one is not None and one.index_rank is not None:
            best[one.coin] = min(one.index_rank, best.get(one.coin, one.index_rank))
    targets: dict[str, tuple[Target, ...]] = {}
    for name, one in read.items():
        found: list[Target] = []
        if one is not None and one.index_rank is not None and one.index_rank == best[one.coin]:
            found.append((f"{one.coin}-USD", "index"))
        if one is not None and one.mark and (one.own_mark or one.mark not in marked):
            found.append((one.mark, "mark"))
        targets[name] = tuple(found)
    return targets


@dataclass(frozen=True, slots=True)
class _Series:
    """What a name says by default.

    Its coin, its rank as a source of the coin's index, the mark it can feed, and whether that mark
    is its own (not lent by spot).
    """

    coin: str
    index_rank: int | None
    mark: str | None
    own_mark: bool

    @classmethod
    def of(cls, name: str) -> "_Series | None":
        base, kind = _split(name)
        symbol = _canonical(base)
        match = _CANONICAL.fullmatch(symbol)
        if match is None:
            return None
        coin, quote, rest = match.groups()
        if kind == "index":
            return cls(coin, 0, None, own_mark=False)
        form = quote if rest is None else f"{quote}-{rest}"
        rank = _INDEX_ORDER.index(form) if form in _INDEX_ORDER else None
        if rest is not None:
            return cls(coin, None if kind == "mark" else rank, symbol, own_mark=True)
        perpetual = None if quote == "USD" or _is_dollar(coin) else f"{symbol}-SWAP"
        if kind == "mark":
            return cls(coin, None, perpetual, own_mark=True)
        return cls(coin, rank, perpetual, own_mark=False)


def _is_dollar(coin: str) -> bool:
    return coin in {"USD", "USDT", "USDC"}


class Mapper:
    """Turns points into quotes; counts the points of series that feed no symbol."""

    def __init__(self, symbol_map: SymbolMap, series: Sequence[str]) -> None:
        targets = symbol_map.resolve(series)
        fed = {target for found in targets.values() for target in found}
        if not fed:
            raise SymbolMapError(
                f"no series feeds a symbol: {', '.join(series)}; name them in a map; {_FORM}"
            )
        both = {symbol for symbol, _ in fed}
        if len(both) < len(fed):
            twice = sorted(symbol for symbol in both if {(symbol, k) for k in _KINDS} <= fed)
            raise SymbolMapError(f"fed both as index and as mark: {', '.join(twice)}")
        self._targets = targets
        self._constants: tuple[tuple[str, str], ...] = tuple(
            (symbol, price) for symbol, price in symbol_map.constants.items() if symbol not in both
        )
        constant: list[Target] = [(symbol, "index") for symbol, _ in self._constants]
        self.symbols: tuple[Target, ...] = (*constant, *sorted(fed))
        self.unmapped: Counter[str] = Counter()

    def total(self, counts: Mapping[str, int]) -> int:
        """Return how many quotes this many points by series become, constants included."""
        fed = sum(count * len(self._targets[name]) for name, count in counts.items())
        return fed + len(self._constants)

    def quotes(self, chunks: Iterable[list[Point]]) -> Iterator[list[Quote]]:
        """Yield the quotes of each chunk in order; the constants come before the first."""
        targets = self._targets
        opening = True
        for chunk in chunks:
            quotes: list[Quote] = []
            if opening and chunk:
                at = chunk[0].ts_ns
                quotes.extend(Quote(at, symbol, "index", p) for symbol, p in self._constants)
                opening = False
            for at, series, price in chunk:
                found = targets[series]
                if not found:
                    self.unmapped[series] += 1
                for symbol, kind in found:
                    quotes.append(Quote(at, symbol, kind, price))
            yield quotes
