"""Which orders would be cancelled before liquidation comes near, and why (OC-1 to OC-4)."""

from __future__ import annotations

from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.schema import AccountSettings, Currency, Order
from streams.verify.maintenance import position_maintenance
from streams.verify.options import short_option
from streams.verify.sheet import Hold, Sheet, unit_of
from streams.verify.tables import borrow_tier, group_sizes, notional, tier_index

__all__ = ["cancellable", "order_test", "past_limits", "short_of_coin"]


def _may_go(order: Order) -> bool:
    """OC-4; what an executor placed for a command is never named either."""
    return not order.reduce_only and order.command_id is None


def _borrow_leverage(sheet: Sheet, name: str) -> Decimal:
    table = sheet.book.settings.borrow_leverage
    return table.get(name, table.get("*", ONE))


def order_test(sheet: Sheet) -> Decimal:
    """OC-1: maintenance without orders, and the margin that orders ask for."""
    needed = position_maintenance(sheet)
    sizes = group_sizes(sheet.book, sheet.opening, sheet.reference)
    for order_id, part in sheet.opening.items():
        order = sheet.book.orders[order_id]
        needed += _order_margin(sheet, order, part, sizes)
    for name, coin in sheet.coins.items():
        currency = sheet.reference.currencies[name]
        needed += coin.liability * coin.price * borrow_tier(currency, coin.liability).maintenance
        rate = max(
            ONE / _borrow_leverage(sheet, name), borrow_tier(currency, coin.potential).initial
        )
        needed += (coin.potential - coin.liability) * coin.price * rate
    return needed


def _order_margin(
    sheet: Sheet, order: Order, part: Decimal, sizes: dict[tuple[str, str], Decimal]
) -> Decimal:
    """IM-1: the initial margin of an order's opening part, in USD."""
    spec, price = sheet.spec(order), sheet.contract_price(order)
    quote = sheet.prices[spec.settle or ""]
    size = sizes.get((spec.family, spec.kind), ZERO)
    if spec.kind == "option":
        if order.side == "buy":
            return ZERO
        option = short_option(sheet.reference, sheet.quotes, order.instrument, size)
        return part * unit_of(spec) * option.order_initial(price) * quote
    tier = spec.position_tiers[tier_index(spec.position_tiers, size)]
    leverage = order.leverage or sheet.book.leverage.get(order.instrument, ONE)
    return notional(spec, part, price, quote) * max(ONE / leverage, tier.initial)


def cancellable(sheet: Sheet) -> tuple[str, ...]:
    """OC-1: the orders that open or add, or raise potential borrowing by what they hold."""
    every = (*sheet.spot_orders, *sheet.contract_orders, *sheet.isolated_orders)
    orders = [order for order in every if _may_go(order)]
    if sheet.spot_mode:
        whole = sheet.reference.policy.spot_cancel_scope == "all"
        return tuple(sorted(o.order_id for o in orders if whole or o.auto_borrow))
    borrowed = {name for name, coin in sheet.coins.items() if coin.potential > coin.liability}
    raising = {
        hold.order.order_id
        for hold in sheet.holds
        if hold.why != "fee" and hold.currency in borrowed
    }
    named = [o.order_id for o in orders if o.order_id in raising or o.order_id in sheet.opening]
    return tuple(sorted(named))


def _age(hold: Hold) -> tuple[int, str]:
    order = hold.order
    return (order.created_ts if order.created_ts is not None else order.ts, order.order_id)


def short_of_coin(sheet: Sheet) -> tuple[str, ...]:
    """OC-2: newest first, until what is left of the coin serves the orders that stay."""
    named = []
    for name, coin in sorted(sheet.coins.items()):
        if sheet.spot_mode:
            holds = [h for h in sheet.holds if h.currency == name and not h.order.auto_borrow]
            left = sheet.book.balance(name).cash - sum((h.amount for h in holds), ZERO)
        elif not sheet.book.settings.auto_borrow:
            holds = [h for h in sheet.holds if h.currency == name]
            left = coin.equity - coin.frozen
        else:
            continue
        for hold in sorted(holds, key=_age, reverse=True):
            if left >= 0:
                break
            if _may_go(hold.order) and hold.amount > 0:
                named.append(hold.order.order_id)
                left += hold.amount
    return tuple(sorted(named))


def tier_limit(spec: Currency, leverage: Decimal) -> Decimal | None:
    """BL-1: the largest amount whose tier allows the leverage; None without tiers."""
    if not spec.borrow_tiers:
        return None
    fitting = [
        tier.up_to
        for tier in spec.borrow_tiers
        if tier.max_leverage is None or tier.max_leverage >= leverage
    ]
    return fitting[-1] if fitting else ZERO


def _borrowers(sheet: Sheet, name: str) -> tuple[str, ...]:
    """Return the orders that need borrowing in a coin."""
    coin = sheet.coins[name]
    if coin.potential <= coin.liability:
        return ()
    return tuple(
        hold.order.order_id
        for hold in sheet.holds
        if hold.currency == name
        and _may_go(hold.order)
        and hold.amount > 0
        and (hold.order.auto_borrow or not sheet.spot_mode)
    )


def past_limits(sheet: Sheet) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """OC-3: return the orders in coins past a limit for certain, and by coin those that may be.

    What the account borrows itself is certain; what others borrow under the same limit is not
    told by its events (BL-2, BL-3).
    """
    apart: dict[str, Decimal] = {}
    for held in sheet.book.isolated.values():
        owed = held.liability + held.interest
        apart[held.liability_currency] = apart.get(held.liability_currency, ZERO) + owed
    certain: list[str] = []
    perhaps: dict[str, tuple[str, ...]] = {}
    for name, coin in sheet.coins.items():
        orders = _borrowers(sheet, name)
        if not orders:
            continue
        spec = sheet.reference.currencies[name]
        limit = tier_limit(spec, _borrow_leverage(sheet, name))
        shared = _shared_limits(spec, sheet.book.settings)
        own = coin.potential + apart.get(name, ZERO)
        if (limit is not None and coin.potential > limit) or any(own > most for most in shared):
            certain += orders
        elif shared:
            perhaps[name] = orders
    return tuple(sorted(certain)), perhaps


def _shared_limits(spec: Currency, settings: AccountSettings) -> list[Decimal]:
    """BL-2 by VIP level (one that is not listed: 0), BL-3 by the pool."""
    found = [] if spec.platform_pool is None else [spec.platform_pool]
    if spec.vip_caps:
        level = "" if settings.vip_level is None else str(settings.vip_level)
        found.append(spec.vip_caps.get(level, ZERO))
    return found
