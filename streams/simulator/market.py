"""The prices that the exchange trades at, and the limit orders that wait for one."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from monitor.exact import ONE
from streams.simulator import wire
from streams.simulator.catalogue import Catalogue, Contract

__all__ = ["Market", "RestingOrders"]

_BRIDGES = ("USDT", "BTC", "ETH")


class Market:
    """The last tick of every symbol, by order of (`ts`, `seq`)."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[int, int, str]] = {}
        self._rough: dict[tuple[str, str], float] = {}
        self.latest_ts = 0
        """The highest `ts` of any tick: the event clock."""

    def take(self, tick: wire.Tick) -> bool:
        """Take a tick; false when an as new or newer one of its symbol is known (PX-5)."""
        key = (tick.symbol, tick.kind)
        last = self._last.get(key)
        if last is not None and (tick.ts, tick.seq) <= last[:2]:
            return False
        self._last[key] = (tick.ts, tick.seq, tick.price)
        self._rough[key] = float(tick.price)
        self.latest_ts = max(self.latest_ts, tick.ts)
        return True

    def symbols(self) -> dict[str, Decimal]:
        """Return every symbol with its last price."""
        return {symbol: Decimal(price) for (symbol, _), (_, _, price) in self._last.items()}

    def _price(self, symbol: str, kind: str) -> Decimal | None:
        last = self._last.get((symbol, kind))
        return None if last is None else Decimal(last[2])

    def index(self, currency: str) -> Decimal | None:
        """Return the USD index of a coin (PX-1, PX-2), or None while it has none."""
        if currency == "USD":
            return ONE
        own = self._price(f"{currency}-USD", "index")
        if own is not None:
            return own
        for bridge in _BRIDGES:
            pair = self._price(f"{currency}-{bridge}", "index")
            base = self._price(f"{bridge}-USD", "index")
            if pair is not None and base is not None:
                return pair * base
        return None

    def trading_price(self, contract: Contract) -> Decimal | None:
        """Return the mark of a derivative or the index cross rate of a spot pair."""
        if not contract.is_spot:
            return self._price(contract.name, "mark")
        base, quote = self.index(contract.base), self.index(contract.quote)
        if base is None or quote is None:
            return None
        return base / quote

    def rough_price(self, contract: Contract) -> float | None:
        """Return the trading price in floats: ten thousand ticks a second ask for it."""
        if not contract.is_spot:
            return self._rough.get((contract.name, "mark"))
        base = self._rough.get((f"{contract.base}-USD", "index"))
        quote = self._rough.get((f"{contract.quote}-USD", "index"))
        if base is not None and quote is not None:
            return base / quote
        price = self.trading_price(contract)  # PX-2
        return None if price is None else float(price)


class RestingOrders:
    """Open limit orders by instrument and side, the nearest to the market first.

    Prices are compared in floats: an order may fill a tick early or late, never at a wrong price.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._waiting: dict[tuple[str, str], list[tuple[float, str, str]]] = defaultdict(list)
        self._touched_by: dict[tuple[str, str], list[Contract]] = defaultdict(list)
        for contract in catalogue.contracts.values():
            if contract.is_spot:
                for coin in (contract.base, contract.quote):
                    self._touched_by[f"{coin}-USD", "index"].append(contract)
            else:
                self._touched_by[contract.name, "mark"].append(contract)

    def add(self, account_id: str, order: wire.Order) -> None:
        """Let an open order wait for its price; market orders do not wait."""
        if order.price is None:
            return
        price = float(order.price)
        entry = (-price if order.side == "buy" else price, account_id, order.order_id)
        heapq.heappush(self._waiting[order.instrument, order.side], entry)

    def touched(self, tick: wire.Tick, market: Market) -> Iterator[tuple[str, str]]:
        """Yield (account, order) of every order whose price this tick has reached, once each."""
        for contract in self._touched_by.get((tick.symbol, tick.kind), ()):
            buys = self._waiting.get((contract.name, "buy"))
            sells = self._waiting.get((contract.name, "sell"))
            if not buys and not sells:
                continue
            now = market.rough_price(contract)
            if now is None:
                continue
            while buys and -buys[0][0] >= now:
                yield heapq.heappop(buys)[1:]
            while sells and sells[0][0] <= now:
                yield heapq.heappop(sells)[1:]
