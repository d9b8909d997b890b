"""The figures of each isolated position, which has a ratio of its own (MR-3)."""

from __future__ import annotations

from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.schema import Instrument
from streams.verify.book import Isolated, place_of_key, unrealised
from streams.verify.figures import Figures
from streams.verify.sheet import Sheet
from streams.verify.tables import borrow_tier, notional, tier_index

__all__ = ["isolated_figures"]


def isolated_figures(sheet: Sheet) -> dict[str, Figures]:
    """Return the figures by name of the position."""
    found = {}
    for key, held in sorted(sheet.book.isolated.items()):
        name, _ = place_of_key(key)
        spec = sheet.reference.instruments[name]
        margin = held.margin * sheet.usd(held.margin_currency)
        if spec.kind == "spot":
            gained, maintenance, fee = _margin_position(sheet, spec, held)
        else:
            gained, maintenance, fee = _derivative(sheet, name, spec, held)
        equity, denominator = margin + gained, maintenance + fee
        found[key] = Figures(
            ratio=equity / denominator if denominator != 0 else None,
            adjusted_equity=equity,
            total_equity=equity,
            maintenance_margin=maintenance,
            liquidation_fee=fee,
            coins={},
            opening={},
            used=frozenset(sheet.used_by(name, held)),
        )
    return found


def _derivative(
    sheet: Sheet, name: str, spec: Instrument, held: Isolated
) -> tuple[Decimal, Decimal, Decimal]:
    mark, quote = sheet.marks[name], sheet.usd(spec.settle or "")
    gained = unrealised(spec, held.quantity, held.entry, mark) * quote
    size = abs(held.quantity)
    value = notional(spec, size, mark, quote)
    rate = spec.position_tiers[tier_index(spec.position_tiers, size)].maintenance
    return gained, value * rate, value * sheet.fees.derivative_taker


def _margin_position(
    sheet: Sheet, spec: Instrument, held: Isolated
) -> tuple[Decimal, Decimal, Decimal]:
    base, quote = sheet.usd(spec.underlying), sheet.usd(spec.quote)
    owed_price = sheet.usd(held.liability_currency) if held.liability_currency else ZERO
    gained = held.quantity * (base / quote - held.entry) * quote - held.interest * owed_price
    owed = held.liability + held.interest
    if owed == 0:
        return gained, ZERO, ZERO
    rate = borrow_tier(sheet.reference.currencies[held.liability_currency], owed).maintenance
    value = owed * owed_price
    return gained, value * rate, value * (ONE + rate) * sheet.fees.spot_taker
