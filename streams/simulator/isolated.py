"""How the exchange books isolated positions, on contracts and on margin (MR-3)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from monitor.exact import ONE, ZERO
from streams.simulator import wire
from streams.simulator.account import Account, BookError, Isolated, add
from streams.simulator.catalogue import Contract

__all__ = [
    "from_snapshot",
    "is_key",
    "key_of",
    "late_interest",
    "leverage_of",
    "margin_transfer",
    "parse_key",
    "trade",
]

_CLOSINGS_KEPT = 16
"""Interest is told a little later than it is owed from; few fills of one account come in between."""


def key_of(instrument: str, side: str) -> str:
    """Return the key by which ids, leverages and commands name an isolated position."""
    return f"{instrument}/isolated/{side}"


def is_key(key: str) -> bool:
    """Whether a text is the key of an isolated position."""
    parts = key.rsplit("/", 2)
    return len(parts) == 3 and parts[1] == "isolated" and parts[2] in ("net", "long", "short")


def parse_key(key: str) -> tuple[str, str]:
    """Return (instrument, position side) of a key that `is_key` holds for one."""
    instrument, _, side = key.rsplit("/", 2)
    return instrument, side


def leverage_of(table: Mapping[str, str], instrument: str, side: str) -> Decimal:
    """Return the position's leverage, else the instrument's, else 1."""
    return Decimal(table.get(key_of(instrument, side)) or table.get(instrument) or ONE)


def from_snapshot(item: wire.Position, contract: Contract, quantity: Decimal) -> Isolated:
    """Return a snapshot's position; without a liability it owes what its opening borrowed."""
    entry = Decimal(item.entry_price)
    held = Isolated(
        quantity, entry, Decimal(item.margin or 0), item.margin_currency or contract.settle
    )
    if contract.is_spot:
        borrowed = quantity * entry if quantity > 0 else -quantity
        held.liability = borrowed if item.liability is None else Decimal(item.liability)
        held.liability_currency = contract.quote if quantity > 0 else contract.base
        held.accrued = Decimal(item.accrued_interest)
    return held


def trade(account: Account, contract: Contract, fill: wire.Fill, signed: Decimal) -> None:
    """Change a position by `signed`; past zero it closes what is held, then opens the rest."""
    if contract.kind == "option":
        raise BookError(f"fill {fill.fill_id}: there are no isolated options")
    key, price = (contract.name, fill.position_side), Decimal(fill.price)
    held = account.isolated.get(key)
    before = ZERO if held is None else held.quantity
    after = before + signed
    if (key[1] == "long" and after < 0) or (key[1] == "short" and after > 0):
        raise BookError(f"{contract.name}: closes more than the {abs(before)} isolated on {key[1]}")
    opened = signed
    if held is not None and (before > 0) != (signed > 0):
        closed = -signed if abs(signed) <= abs(before) else before
        if contract.is_spot:
            closings = account.closings.setdefault(key, [])
            closings.append((fill.account_seq or account.seq + 1, price, closed / before))
            del closings[:-_CLOSINGS_KEPT]
        _close(account, contract, held, closed, price)
        if not held.quantity:
            del account.isolated[key]
            held = None
        opened = signed + closed
    if opened:
        leverage = (
            Decimal(fill.leverage)
            if fill.leverage is not None
            else leverage_of(account.settings.leverage, *key)
        )
        _open(account, contract, key, opened, price, leverage)
    if fill.leverage is not None:
        account.settings.leverage[key_of(*key)] = fill.leverage


def _open(
    account: Account,
    contract: Contract,
    key: tuple[str, str],
    opened: Decimal,
    price: Decimal,
    leverage: Decimal,
) -> None:
    """Move notional / leverage from cash to the margin; a margin position borrows the rest of it."""
    held = account.isolated.get(key)
    margin = contract.value(abs(opened), price) / leverage
    if held is None:
        held = account.isolated[key] = Isolated(opened, price, ZERO, contract.settle)
    else:
        total = held.quantity + opened
        if contract.inverse:
            held.entry_price = total / (held.quantity / held.entry_price + opened / price)
        else:
            held.entry_price = (held.quantity * held.entry_price + opened * price) / total
        held.quantity = total
        if held.margin_currency != contract.settle:  # a margin position's, given in base coin
            margin = margin / price
    held.margin += margin
    add(account.cash, held.margin_currency, -margin)
    if contract.is_spot:
        held.liability += opened * price if opened > 0 else -opened
        held.liability_currency = contract.quote if opened > 0 else contract.base


def _close(
    account: Account, contract: Contract, held: Isolated, closed: Decimal, price: Decimal
) -> None:
    """Return the share of the margin, and the result, to cash; the debt falls by the share."""
    share = closed / held.quantity
    result = contract.pnl(closed, held.entry_price, price)
    if contract.is_spot:
        interest = held.accrued * share
        result -= interest if held.liability_currency == contract.quote else interest * price
        held.accrued -= interest
        held.liability -= held.liability * share
    margin = held.margin * share
    held.margin -= margin
    held.quantity -= closed
    add(account.cash, held.margin_currency, margin)
    add(account.cash, contract.settle, result)


def late_interest(
    account: Account, contract: Contract, coin: str, amount: Decimal, seq: int
) -> Decimal:
    """Book interest that the position owed since event `seq`; return what the account owes of it.

    The closings since then would have paid their share of it out of cash. A position that was gone
    by `seq` leaves all of it to the account (RP-5).
    """
    key = (contract.name, "net")
    for number, price, share in account.closings.get(key, ()):
        if number > seq:
            paid = amount * share
            add(account.cash, contract.settle, -(paid if coin == contract.quote else paid * price))
            amount -= paid
    held = account.isolated.get(key)
    if amount and held is not None and held.liability_currency == coin:
        held.accrued += amount
        return ZERO
    return amount


def margin_transfer(account: Account, transfer: wire.Transfer) -> None:
    """Move cash into a position's margin (`margin`, negative: out), or raise what it owes."""
    key = (transfer.instrument or "", transfer.position_side or "net")
    amount, held = Decimal(transfer.amount), account.isolated.get(key)
    if held is None:
        raise BookError(f"transfer {transfer.transfer_id}: no isolated position {key_of(*key)}")
    wanted = held.margin_currency if transfer.kind == "margin" else held.liability_currency
    if transfer.currency != wanted:
        raise BookError(
            f"transfer {transfer.transfer_id}: {transfer.kind} of {key_of(*key)} is in "
            f"{wanted or 'no coin'}, not in {transfer.currency}"
        )
    if transfer.kind == "interest":
        held.accrued += amount
        return
    if held.margin + amount < 0:
        raise BookError(
            f"transfer {transfer.transfer_id}: takes {-amount} out of a margin of {held.margin}"
        )
    held.margin += amount
    add(account.cash, transfer.currency, -amount)
