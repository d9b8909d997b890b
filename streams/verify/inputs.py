"""The moment a command was decided at: its prices, where they stand among the ticks, their age."""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.verify.catalog import ReferenceSet
from streams.verify.emitted import AnyCommand
from streams.verify.figures import Figures
from streams.verify.market import Market, Quotes, max_age_ms
from streams.verify.options import forward_key

__all__ = ["Moment", "moment_of"]

_END = 2**62


@dataclass(slots=True)
class Moment:
    """Ticks `first` to `last` (offsets) are those at which all the named prices stand."""

    quotes: Quotes
    first: int
    last: int
    stale: frozenset[str]
    faults: list[tuple[str, str]] = field(default_factory=list)
    """(expected, found) of every price that is not the record it claims to be."""

    def all_quotes(self, market: Market) -> Quotes:
        """Return these prices, and those of symbols they do not name, as soon as there are any."""
        quotes = market.quotes(self.last)
        quotes.update(market.quotes(self.first))
        quotes.update(self.quotes)
        return quotes

    def better_routes(self, figures: Figures, market: Market, reference: ReferenceSet) -> list[str]:
        """Return the prices that stood at the moment and rank before the ones used (PX-2, MM-3)."""
        every = market.quotes(self.first)
        better = []
        for currency in figures.coins:
            route = every.route(currency)
            if route is not None and route != self.quotes.route(currency):
                better.append(f"{'×'.join(route)} for {currency}")
        for name in figures.sold_options:
            spec = reference.instruments[name]
            key = forward_key(reference, every, spec)
            if key is not None and key != forward_key(reference, self.quotes, spec):
                better.append(f"{key} as forward of {name}")
        return better


def moment_of(command: AnyCommand, market: Market, reference: ReferenceSet) -> Moment:
    """Find the records that a command's prices name, and check that they stood together."""
    quotes = Quotes(command.prices)
    moment = Moment(quotes, 0, _END, frozenset())
    ticks = command.inputs.ticks
    if set(ticks) != set(command.prices):
        moment.faults.append(
            (
                f"prices and inputs.ticks of the same symbols, ticks {sorted(ticks)}",
                f"prices {sorted(command.prices)}",
            )
        )
    stale = set()
    latest, until = "", ""
    for key, offset in sorted(ticks.items()):
        series = market.series.get(key)
        position = series.at(offset) if series is not None else None
        if series is None or position is None or series.offsets[position] != offset:
            why = market.dropped.get((key, offset), "no such tick")
            moment.faults.append((f"an accepted tick of {key}", f"offset {offset}: {why}"))
            continue
        price = series.prices[position]
        if command.prices.get(key) != price:
            moment.faults.append(
                (f"{key} {price} of offset {offset}", f"{command.prices.get(key)}")
            )
        if command.decided_at - series.times[position] > max_age_ms(reference.policy, key):
            stale.add(key)  # PX-4
        if offset > moment.first:
            moment.first, latest = offset, key
        following = series.following(position)
        if following is not None and following - 1 < moment.last:
            moment.last, until = following - 1, key
    if moment.first > moment.last:
        after = f"the tick of {until} after the one named is offset {moment.last + 1}"
        found = f"{latest} of offset {moment.first}, which is later"
        moment.faults.append((f"prices that stood together: {after}", found))
        moment.last = moment.first
    if market.offsets:
        moment.last = min(moment.last, max(moment.first, market.offsets[-1]))
    moment.stale = frozenset(stale)
    return moment
