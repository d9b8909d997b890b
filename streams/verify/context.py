"""Everything a reader needs beside a violation: book, prices, figures, what was pending."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.exact import plain
from streams.verify.compare import shown
from streams.verify.group import Group
from streams.verify.standing import Standing

__all__ = ["context_lines"]


def context_lines(group: Group, standing: Standing, place: str) -> Iterator[str]:
    """Yield the state a decision was made on, one subject a line."""
    book, figures, moment = group.book, group.figures, group.moment
    yield f"{place}; mode {group.mode}, now {group.now}, ticks {moment.first}..{moment.last}"
    yield (
        f"ratio {shown(figures.ratio)} adjusted equity {shown(figures.adjusted_equity)} "
        f"maintenance {shown(figures.maintenance_margin)} fee {shown(figures.liquidation_fee)}"
    )
    yield f"OC-1 needs {shown(figures.order_test)}, would cancel {list(figures.cancellable)}"
    for name, coin in figures.coins.items():
        held = book.balance(name)
        yield (
            f"{name}: cash {plain(held.cash)} borrowed {plain(held.borrowed)} accrued "
            f"{plain(held.accrued)} equity {shown(coin.equity)} frozen {shown(coin.frozen)} "
            f"liability {shown(coin.liability)} potential {shown(coin.potential)} "
            f"price {shown(coin.price)} counts {shown(coin.value)}"
        )
    for (name, side), position in sorted(book.positions.items()):
        yield (
            f"{name} {side}: {plain(position.quantity)} at {shown(position.entry)}, "
            f"mark {shown(moment.quotes.mark(name))}"
        )
    for key, apart in sorted(book.isolated.items()):
        yield (
            f"{key}: {plain(apart.quantity)} at {shown(apart.entry)}, margin "
            f"{shown(apart.margin)} {apart.margin_currency}, owes {shown(apart.liability)} and "
            f"{shown(apart.interest)} {apart.liability_currency}"
        )
    for order in book.open_orders():
        yield (
            f"order {order.order_id}: {order.instrument} {order.side} {order.position_side} "
            f"{plain(order.quantity)} left {plain(book.remaining(order))} at {shown(order.price)} "
            f"reduce_only {order.reduce_only} auto_borrow {order.auto_borrow} "
            f"command_id {order.command_id}"
        )
    yield f"standing: {standing.brief()}"
