"""The assessment of one account in exact decimals (AE, IM, MM, MR)."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.state import Account, Balance, OpenOrder
from monitor.contracts import notional_usd, order_fee, unrealised_pnl
from monitor.currency import (
    USD,
    borrow_leverage,
    counts_as_collateral,
    discounted,
    liability,
    potential_borrowing,
    upl_liability,
)
from monitor.exact import ONE, ZERO
from monitor.margin.derivative_orders import cross_leverage, opening_parts
from monitor.margin.figures import CurrencyFigures, Figures, OrderFigures, PositionFigures
from monitor.margin.spot_orders import Exchange, exchange_of, spot_order_loss
from monitor.prices import MissingPrice, PriceBook
from monitor.reference import Reference, borrow_tier, position_tier
from monitor.schema.reference import Currency, Fees, Instrument

__all__ = ["assess"]

_NOTHING = Balance()


def assess(account: Account, reference: Reference, prices: PriceBook) -> Figures:
    """Return the account's figures; `unpriced` is not empty when a price it needs is missing."""
    return _Assessment(account, reference, prices).run()


class _Assessment:
    """One run over one account: gathers, then sums up."""

    __slots__ = (
        "account",
        "fees",
        "figures",
        "frozen_fees",
        "frozen_with",
        "frozen_without",
        "gross",
        "gross_positions",
        "indices",
        "missing",
        "prices",
        "reference",
        "unrealised",
    )

    def __init__(self, account: Account, reference: Reference, prices: PriceBook) -> None:
        self.account = account
        self.reference = reference
        self.prices = prices
        self.figures = Figures(account.account_id, account.mode)
        self.fees: Fees = reference.fees_of(account.fee_schedule)
        self.indices: dict[str, Decimal] = {}
        self.missing: list[str] = []
        self.unrealised: dict[str, Decimal] = {}
        self.frozen_with: dict[str, Decimal] = {}
        self.frozen_without: dict[str, Decimal] = {}
        self.frozen_fees: dict[str, Decimal] = {}
        self.gross: dict[tuple[str, str], Decimal] = {}
        self.gross_positions: dict[tuple[str, str], Decimal] = {}

    def run(self) -> Figures:
        figures, account = self.figures, self.account
        unknown = account.unknown_to(self.reference)
        if unknown:
            figures.unpriced = tuple(f"{name}/reference" for name in unknown)
            return figures
        marks = self._find_prices()
        if self.missing:
            figures.unpriced = tuple(sorted(set(self.missing)))
            return figures
        spot, derivative = self._open_orders()
        opening = opening_parts(account, derivative) if derivative else {}
        self._sizes(derivative, opening)
        self._positions(marks)
        self._derivative_orders(derivative, opening, marks)
        exchanges = self._spot_orders(spot)
        self._currencies()
        if exchanges:
            self._spot_order_loss(exchanges)
        self._sum_up(exchanges)
        return figures

    # -- prices -------------------------------------------------------------------------------

    def _find_prices(self) -> dict[str, Decimal]:
        """PX-3: find what this account needs, and only that; return instrument → mark."""
        account, instruments, book = self.account, self.reference.instruments, self.prices
        needed = {name: True for name, b in account.balances.items() if not b.is_empty()}
        optional = set(needed)
        marks: dict[str, Decimal] = {}
        used: list[str] = []
        for holder in (account.positions, account.orders):
            for item in holder.values():
                instrument = instruments[item.instrument]
                if instrument.kind == "spot":
                    touched: tuple[str, ...] = (instrument.underlying, instrument.quote)
                else:
                    touched = (instrument.settle or instrument.quote,)
                    if item.instrument not in marks:
                        try:
                            marks[item.instrument] = book.mark(item.instrument)
                            used.append(f"{item.instrument}/mark")
                        except MissingPrice as missing:
                            self.missing.append(str(missing))
                            marks[item.instrument] = ONE
                for name in touched:
                    needed[name] = True
                    optional.discard(name)
        for name in needed:
            try:
                self.indices[name] = book.index(name)
            except MissingPrice as missing:
                if name in optional and self._counts_nothing(name):
                    self.figures.total_equity = None  # PX-3: blocks only AE-3
                    self.indices[name] = ZERO
                else:
                    self.missing.append(str(missing))
                continue
            if name != "USD":
                own, bridge = book.route(name)
                used.append(own)
                if bridge is not None and bridge not in used:
                    used.append(bridge)
        self.figures.symbols = tuple(sorted(set(used)))
        return marks

    def _counts_nothing(self, name: str) -> bool:
        balance = self.account.balances[name]
        return (
            balance.cash - balance.borrowed - balance.accrued_interest > 0
            and not (balance.borrowed or balance.accrued_interest)
            and not counts_as_collateral(self.account, name, self._currency(name))
        )

    def _currency(self, name: str) -> Currency:
        return USD if name == "USD" else self.reference.currencies[name]

    # -- positions and orders -----------------------------------------------------------------

    def _open_orders(self) -> tuple[list[OpenOrder], list[OpenOrder]]:
        """Return spot and derivative orders, each in the order of their ids."""
        spot: list[OpenOrder] = []
        derivative: list[OpenOrder] = []
        instruments = self.reference.instruments
        for _, order in sorted(self.account.orders.items()):
            is_spot = instruments[order.instrument].kind == "spot"
            (spot if is_spot else derivative).append(order)
        return spot, derivative

    def _sizes(self, orders: list[OpenOrder], opening: dict[str, Decimal]) -> None:
        """MM-2: gross contracts per family and kind, positions alone and with opening orders."""
        instruments = self.reference.instruments
        for position in self.account.positions.values():
            instrument = instruments[position.instrument]
            group = (instrument.family, instrument.kind)
            size = abs(position.quantity)
            self.gross_positions[group] = self.gross_positions.get(group, ZERO) + size
        self.gross.update(self.gross_positions)
        for order in orders:
            instrument = instruments[order.instrument]
            group = (instrument.family, instrument.kind)
            self.gross[group] = self.gross.get(group, ZERO) + opening[order.order_id]

    def _positions(self, marks: dict[str, Decimal]) -> None:
        account, figures, reference = self.account, self.figures, self.reference
        for key, position in account.positions.items():
            name = position.instrument
            instrument, size, mark = reference.instruments[name], reference.sizes[name], marks[name]
            quantity = position.quantity
            pnl = unrealised_pnl(instrument, size, quantity, position.entry_price, mark)
            settle = instrument.settle or instrument.quote
            self.unrealised[settle] = self.unrealised.get(settle, ZERO) + pnl
            quote_price = ONE if instrument.inverse else self.indices[settle]
            notional = notional_usd(instrument, size, quantity, mark, quote_price)
            group = (instrument.family, instrument.kind)
            number, tier, beyond = position_tier(instrument.position_tiers, self.gross[group])
            initial = notional * max(ONE / cross_leverage(account, name), tier.initial)  # IM-1
            maintenance = notional * tier.maintenance  # MM-1
            alone = position_tier(instrument.position_tiers, self.gross_positions[group])[1]
            figures.positions[key] = PositionFigures(
                key,
                name,
                position.side,
                quantity,
                mark,
                notional,
                pnl,
                initial,
                maintenance,
                number,
                beyond,
            )
            figures.initial_margin += initial
            figures.maintenance_margin += maintenance
            figures.liquidation_fee += notional * self.fees.derivative_taker  # MM-4
            figures.maintenance_without_orders += notional * alone.maintenance  # OC-1
            figures.position_value += notional

    def _derivative_orders(
        self, orders: list[OpenOrder], opening: dict[str, Decimal], marks: dict[str, Decimal]
    ) -> None:
        account, figures, reference = self.account, self.figures, self.reference
        taker = self.fees.derivative_taker
        for order in orders:
            name = order.instrument
            instrument, size, mark = reference.instruments[name], reference.sizes[name], marks[name]
            settle = instrument.settle or instrument.quote
            price = order.price if order.price is not None else mark
            fee = order_fee(instrument, size, order.remaining, price, taker)  # CU-4
            self.frozen_fees[settle] = self.frozen_fees.get(settle, ZERO) + fee
            opens = opening[order.order_id]
            figures.orders[order.order_id] = OrderFigures(order.order_id, opens, None)
            if not opens:
                continue
            quote_price = ONE if instrument.inverse else self.indices[settle]
            at_mark = notional_usd(instrument, size, opens, mark, quote_price)
            at_price = notional_usd(instrument, size, opens, price, quote_price)
            group = (instrument.family, instrument.kind)
            tier = position_tier(instrument.position_tiers, self.gross[group])[1]
            rate = max(ONE / cross_leverage(account, name, order.leverage), tier.initial)
            figures.initial_margin += at_price * rate  # IM-1
            figures.order_requirement += at_price * rate  # OC-1
            figures.maintenance_margin += at_mark * tier.maintenance  # MM-1
            figures.liquidation_fee += at_mark * taker  # MM-4

    def _spot_orders(self, orders: list[OpenOrder]) -> list[Exchange]:
        exchanges = []
        by_order = self.account.mode == "spot"
        for order in orders:
            instrument: Instrument = self.reference.instruments[order.instrument]
            exchange = exchange_of(order, instrument, self.indices.__getitem__)
            exchanges.append(exchange)
            borrows = order.auto_borrow if by_order else self.account.auto_borrow  # CU-7
            frozen = self.frozen_with if borrows else self.frozen_without
            frozen[exchange.gives] = frozen.get(exchange.gives, ZERO) + exchange.given  # CU-4
            self.figures.orders[order.order_id] = OrderFigures(order.order_id, ZERO, exchange.gives)
        return exchanges

    # -- currencies ---------------------------------------------------------------------------

    def _currencies(self) -> None:
        account, figures = self.account, self.figures
        for name, price in self.indices.items():
            entry = self._currency(name)
            balance = account.balances.get(name, _NOTHING)
            cash, borrowed, interest = balance.cash, balance.borrowed, balance.accrued_interest
            pnl = self.unrealised.get(name, ZERO)
            equity = cash - borrowed + pnl - interest  # CU-1
            fees = self.frozen_fees.get(name, ZERO)
            with_, without = (
                self.frozen_with.get(name, ZERO) + fees,
                self.frozen_without.get(name, ZERO),
            )
            owed = liability(account.mode, cash, borrowed, interest, equity)  # CU-6
            borrowing = potential_borrowing(account, cash, equity, owed, without, with_)  # CU-7
            number, tier, _ = borrow_tier(entry.borrow_tiers, borrowing)
            leverage = borrow_leverage(account, name)
            rate = max(ONE / leverage, tier.initial)
            usd = borrowing * price
            margin = usd * rate  # CU-8
            counted = discounted(entry, equity, price, counts_as_collateral(account, name, entry))
            figures.currencies[name] = CurrencyFigures(
                name,
                cash,
                borrowed,
                interest,
                pnl,
                equity,
                with_ + without,
                owed,
                upl_liability(owed, cash, interest),
                borrowing,
                price,
                counted,
                number,
                tier.maintenance,
                margin,
                leverage,
            )
            figures.adjusted_equity += counted  # AE-1
            if figures.total_equity is not None:
                figures.total_equity += equity * price  # AE-3
            if with_ or without:
                figures.frozen_usd += (with_ + without) * price
                figures.estimated_fees += fees * price
            if borrowing:
                figures.initial_margin += margin  # IM-1
                figures.maintenance_margin += usd * tier.maintenance  # MM-1
                figures.liquidation_fee += (
                    usd * (ONE + tier.maintenance) * self.fees.spot_taker
                )  # MM-4
                figures.position_value += usd
                figures.order_requirement += (borrowing - owed) * price * rate  # OC-1
            if owed:
                alone = borrow_tier(entry.borrow_tiers, owed)[1]
                figures.maintenance_without_orders += owed * price * alone.maintenance

    def _discounted(self, name: str, equity: Decimal, price: Decimal) -> Decimal:
        entry = self._currency(name)
        return discounted(entry, equity, price, counts_as_collateral(self.account, name, entry))

    def _spot_order_loss(self, exchanges: list[Exchange]) -> None:
        equities = {name: c.equity for name, c in self.figures.currencies.items()}
        self.figures.spot_order_loss = spot_order_loss(
            exchanges, equities, self._discounted, self.fees.spot_taker
        )

    def _sum_up(self, exchanges: list[Exchange]) -> None:
        figures = self.figures
        figures.adjusted_equity -= figures.spot_order_loss + figures.estimated_fees  # AE-1
        requirement = figures.requirement
        if requirement:
            figures.ratio = figures.adjusted_equity / requirement  # MR-1
        figures.available_margin = (  # MR-2
            figures.adjusted_equity - figures.initial_margin - self._restricted(exchanges)
        )
        if figures.adjusted_equity > 0:
            value = figures.position_value
            if self.account.mode == "spot":
                value = sum((c.liability * c.price for c in figures.currencies.values()), ZERO)
            figures.leverage = value / figures.adjusted_equity

    def _restricted(self, exchanges: list[Exchange]) -> Decimal:
        """MR-2: return the discounted USD value of restricted collateral, held or being bought."""
        total = ZERO
        for name in self.account.restricted:
            held = self.figures.currencies.get(name)
            if held is None:
                continue
            bought = sum((e.received for e in exchanges if e.receives == name), ZERO)
            after = self._discounted(name, held.equity + bought, held.price)
            total += max(ZERO, after)
        return total
