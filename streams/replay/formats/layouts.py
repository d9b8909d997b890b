"""The layouts of recordings: their columns, and how a file is recognised as one of them.

Columns as published: Binance's public data dumps (with a header row since 2022, without one before
and on spot), OKX's historical trades (named columns since 2022, before that names in two languages,
encoded in GBK, or none) and Tardis' CSV datasets.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath

from streams.replay.exceptions import UnknownLayoutError


class Shape(Enum):
    """What the price columns of one row mean."""

    PRICE = "one price"
    MID = "bid and ask: the middle of the two"
    BAR = "open, high, low, close: four points along the bar"
    MARK_AND_INDEX = "a mark and an index price, either may be empty: two series"


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of file: its columns, and others (`marks`) that tell it from its like.

    `symbol` is the column of the series' name, absent where the file's own name gives it; `until`
    is the closing time of a bar; `nanoseconds` says that the unit of time needs no guessing.
    """

    name: str
    time: str
    prices: tuple[str, ...]
    shape: Shape = Shape.PRICE
    symbol: str | None = None
    until: str | None = None
    marks: tuple[str, ...] = ()
    nanoseconds: bool = False

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that must be there, in the order in which they are named to the user."""
        extra = (self.until,) if self.until is not None else ()
        symbol = (self.symbol,) if self.symbol is not None else ()
        return tuple(dict.fromkeys((*symbol, self.time, *extra, *self.marks, *self.prices)))


OWN = Layout("own", time="ts_ns", prices=("price",), symbol="symbol", nanoseconds=True)
TARDIS_DERIVATIVE_TICKER = Layout(
    "Tardis derivative_ticker",
    prices=("mark_price", "index_price"),
    shape=Shape.MARK_AND_INDEX,
    marks=("exchange", "timestamp"),
    time="local_timestamp",
    symbol="symbol",
)
TARDIS_QUOTES = Layout(
    "Tardis quotes",
    prices=("bid_price", "ask_price"),
    shape=Shape.MID,
    marks=("exchange", "timestamp"),
    time="local_timestamp",
    symbol="symbol",
)
TARDIS_TRADES = Layout(
    "Tardis trades",
    prices=("price",),
    marks=("exchange", "timestamp", "amount"),
    time="local_timestamp",
    symbol="symbol",
)
OKX_TRADES = Layout(
    "OKX trades",
    time="created_time",
    prices=("price",),
    symbol="instrument_name",
    marks=("trade_id",),
)
OKX_OLD_TRADES = Layout(
    "OKX trades, one instrument a file",
    time="created_time",
    prices=("price",),
    marks=("trade_id",),
)
BINANCE_AGG_TRADES = Layout("Binance aggTrades", time="transact_time", prices=("price",))
BINANCE_TRADES = Layout("Binance trades", time="time", prices=("price",), marks=("id", "qty"))
BINANCE_BOOK_TICKER = Layout(
    "Binance bookTicker",
    time="transaction_time",
    prices=("best_bid_price", "best_ask_price"),
    shape=Shape.MID,
)
BINANCE_KLINES = Layout(
    "Binance klines and markPriceKlines",
    time="open_time",
    until="close_time",
    prices=("open", "high", "low", "close"),
    shape=Shape.BAR,
)

# The most particular first: the first one whose columns are all there is taken.
LAYOUTS = (
    OWN,
    TARDIS_DERIVATIVE_TICKER,
    TARDIS_QUOTES,
    TARDIS_TRADES,
    OKX_TRADES,
    OKX_OLD_TRADES,
    BINANCE_AGG_TRADES,
    BINANCE_TRADES,
    BINANCE_BOOK_TICKER,
    BINANCE_KLINES,
)

_KLINE_COLUMNS = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore"
)
# Files without a header row: (number of columns, which of them are true or false) → their names.
_BARE: dict[tuple[int, tuple[int, ...]], str] = {
    (8, (6, 7)): "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,"
    "is_buyer_maker,is_best_match",
    (7, (6,)): "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,"
    "is_buyer_maker",
    (7, (5, 6)): "id,price,qty,quote_qty,time,is_buyer_maker,is_best_match",
    (6, (5,)): "id,price,qty,quote_qty,time,is_buyer_maker",
    (7, ()): "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,"
    "transaction_time,event_time",
    (12, ()): _KLINE_COLUMNS,
}
_BARE_OKX = "trade_id,side,size,price,created_time"

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DUMP_NAME = re.compile(
    r"(?P<symbol>.+?)-(?:aggtrades|trades|bookticker|(?:mark|index)price(?:klines)?|klines"
    r"|\d+(?:s|m|h|d|w|mo))-\d{4}-?\d{2}",
    re.IGNORECASE,
)


def columns_of(first_row: Sequence[str]) -> tuple[list[str], bool]:
    """Return the column names of a CSV file and whether its first row is a header.

    Names in two languages (`price/价格`) keep their first part. Raises UnknownLayoutError for a
    file without a header row whose columns cannot be told.
    """
    fields = [field.strip().strip('"').strip() for field in first_row]
    if not any(_NUMBER.fullmatch(field) for field in fields):
        return [field.split("/")[0].strip().lower() for field in fields], True
    lowered = [field.lower() for field in fields]
    if len(fields) == 5 and lowered[1] in {"buy", "sell"}:
        return _BARE_OKX.split(","), False
    flags = tuple(i for i, field in enumerate(lowered) if field in {"true", "false"})
    names = _BARE.get((len(fields), flags))
    if names is None:
        raise UnknownLayoutError(
            f"no header row, and {len(fields)} columns that fit no known dump: "
            f"{', '.join(fields)}; {accepted()}"
        )
    return names.split(","), False


def layout_of(columns: Sequence[str]) -> Layout:
    """Return the layout that `columns` belong to, or raise UnknownLayoutError naming both."""
    found = set(columns)
    for layout in LAYOUTS:
        if found.issuperset(layout.required):
            return layout
    raise UnknownLayoutError(f"columns found: {', '.join(columns)}; {accepted()}")


def accepted() -> str:
    """Name every layout with the columns that make it, for error messages."""
    return "accepted: " + "; ".join(
        f"{layout.name} ({', '.join(layout.required)})" for layout in LAYOUTS
    )


def series_from_name(path: PurePath, member: str | None) -> str:
    """Return the series that a dump's file name gives, such as BTCUSDT of
    `BTCUSDT-aggTrades-2024-08-05.zip`.

    Mark and index price klines differ from others by name or folder only; their series is
    `BTCUSDT/mark` or `BTCUSDT/index`. Raises UnknownLayoutError when the name has no such form.
    """
    for name in (path.name, member):
        match = _DUMP_NAME.match(PurePath(name).name) if name is not None else None
        if match is not None:
            whole = "/".join((*path.parts[-4:], member or "")).lower()
            if "markprice" in whole:
                return f"{match['symbol']}/mark"
            if "indexprice" in whole:
                return f"{match['symbol']}/index"
            return match["symbol"]
    raise UnknownLayoutError(
        f"{path.name}: the rows do not name their symbol, and the file name does not either; "
        "name the file as it was published, such as BTCUSDT-aggTrades-2024-08-05.zip"
    )
