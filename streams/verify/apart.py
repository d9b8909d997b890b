"""Isolated positions: opening, closing, margin and interest of what stands apart (MR-3)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.schema import Fill, Instrument, Transfer
from streams.verify.book import (
    Book,
    Isolated,
    RefusedError,
    is_inverse,
    isolated_key,
    mean_entry,
    unrealised,
)
from streams.verify.catalog import ReferenceSet

__all__ = [
    "close_isolated",
    "fill_isolated",
    "leverage_of",
    "margin_for",
    "move_margin",
    "raise_interest",
]


def leverage_of(book: Book, instrument: str, key: str, own: Decimal | None) -> Decimal:
    """Return the leverage of an order or fill of an isolated position."""
    if own is not None:
        return own
    return book.leverage.get(key, book.leverage.get(instrument, ONE))


def margin_for(spec: Instrument, size: Decimal, price: Decimal, leverage: Decimal) -> Decimal:
    """Return the margin that opening `size` takes, in the settle (spot: quote) currency."""
    if spec.kind == "spot":
        return size * price / leverage
    contracts = size * spec.contract_value * spec.multiplier
    return (contracts / price if is_inverse(spec) else contracts * price) / leverage


def fill_isolated(book: Book, fill: Fill, spec: Instrument) -> None:
    """Close what stands opposite, open the rest."""
    side = "net" if spec.kind == "spot" else fill.position_side
    key = isolated_key(fill.instrument, side)
    if book.settings.mode == "spot":
        raise RefusedError(f"{key}: spot mode has no isolated positions")
    held = book.isolated.get(key)
    signed = fill.quantity if fill.side == "buy" else -fill.quantity
    before = held.quantity if held is not None else ZERO
    closes = side != "net" and fill.side != ("buy" if side == "long" else "sell")
    if closes and fill.quantity > abs(before):
        raise RefusedError(f"closes {fill.quantity} of {key}, {before} are held")
    if fill.leverage is not None:
        book.leverage[key] = fill.leverage
    left = fill.quantity
    if held is not None and before * signed < 0:
        closed = min(abs(before), left)
        close_isolated(book, key, held, spec, closed, fill.price)
        left -= closed
    if left > 0:
        leverage = leverage_of(book, fill.instrument, key, fill.leverage)
        _open(book, key, spec, left.copy_sign(signed), fill.price, leverage)


def _open(
    book: Book, key: str, spec: Instrument, added: Decimal, price: Decimal, leverage: Decimal
) -> None:
    spot = spec.kind == "spot"
    pays = spec.quote if spot else spec.settle or ""
    held = book.isolated.get(key)
    margin = margin_for(spec, abs(added), price, leverage)
    owed = ""
    borrowed = ZERO
    if spot:  # a long owes what it paid, a short what it sold
        owed = spec.quote if added > 0 else spec.underlying
        borrowed = added * price if added > 0 else -added
    if held is not None and held.margin_currency != pays:  # given in base coin by a snapshot
        pays, margin = held.margin_currency, margin / price
    book.move_cash(pays, -margin)
    if held is None:
        book.isolated[key] = Isolated(added, price, margin, pays, borrowed, owed)
        return
    book.isolated[key] = replace(
        held,
        quantity=held.quantity + added,
        entry=mean_entry(held.quantity, held.entry, added, price, spec),
        margin=held.margin + margin,
        liability=held.liability + borrowed,
    )


def close_isolated(
    book: Book, key: str, held: Isolated, spec: Instrument, closed: Decimal, price: Decimal
) -> None:
    """Close some of a position: its share of margin and PnL goes to cash."""
    share = closed / abs(held.quantity)
    whole = closed == abs(held.quantity)
    signed = closed.copy_sign(held.quantity)
    margin = held.margin if whole else held.margin * share
    book.move_cash(held.margin_currency, margin)
    if spec.kind == "spot":
        interest = held.interest * share
        in_quote = interest if held.liability_currency == spec.quote else interest * price
        book.move_cash(spec.quote, signed * (price - held.entry) - in_quote)
    else:
        book.move_cash(spec.settle or "", unrealised(spec, signed, held.entry, price))
    if whole:
        del book.isolated[key]
        return
    kept = ONE - share
    book.isolated[key] = replace(
        held,
        quantity=held.quantity - signed,
        margin=held.margin - margin,
        liability=held.liability * kept,
        interest=held.interest * kept,
    )


def _named(book: Book, transfer: Transfer, reference: ReferenceSet) -> tuple[str, Isolated]:
    name = transfer.instrument or ""
    spec = reference.instruments.get(name)
    spot = spec is not None and spec.kind == "spot"
    key = isolated_key(name, "net" if spot else transfer.position_side or "net")
    held = book.isolated.get(key)
    if held is None:
        raise RefusedError(f"a {transfer.kind} transfer for {key}, which is not held")
    return key, held


def move_margin(book: Book, transfer: Transfer, reference: ReferenceSet) -> None:
    """Move cash into an isolated position's margin, or out of it."""
    key, held = _named(book, transfer, reference)
    if transfer.currency != held.margin_currency:
        raise RefusedError(
            f"{key} has its margin in {held.margin_currency}, not in {transfer.currency}"
        )
    if held.margin + transfer.amount < 0:
        raise RefusedError(f"takes {-transfer.amount} out of a margin of {held.margin}")
    book.move_cash(transfer.currency, -transfer.amount)
    book.isolated[key] = replace(held, margin=held.margin + transfer.amount)


def raise_interest(book: Book, transfer: Transfer, reference: ReferenceSet) -> None:
    """Add interest to what a margin position owes."""
    key, held = _named(book, transfer, reference)
    if transfer.currency != held.liability_currency:
        raise RefusedError(
            f"{key} owes {held.liability_currency or 'nothing'}, not {transfer.currency}"
        )
    book.isolated[key] = replace(held, interest=held.interest + transfer.amount)
