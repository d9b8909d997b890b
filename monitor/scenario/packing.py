"""One account packed into rows of floats.

What no price changes (tiers of contracts and of constant debts, what orders freeze) is found here,
in decimals, and only once; the rows hold what prices multiply.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from monitor.account.isolated import isolated_leverage
from monitor.account.state import Account, Balance, IsolatedPosition, OpenOrder
from monitor.contracts import order_fee, trade_value
from monitor.currency import USD, counts_as_collateral, liability, potential_borrowing
from monitor.exact import ONE, ZERO
from monitor.margin.derivative_orders import opening_parts
from monitor.margin.options import factor_of
from monitor.reference import Reference, borrow_tier, position_tier
from monitor.scenario.rows import BARE, INVERSE, LINEAR, MARGIN, MODES, OPTION, TABLES, Packed
from monitor.schema.reference import Currency, Fees, Instrument

__all__ = ["Packer"]

_NOTHING = Balance()


class Packer:
    """Packs accounts under one reference set."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self.coins = ("USD", *sorted(reference.currencies))
        self.instruments = tuple(
            sorted(name for name, entry in reference.instruments.items() if entry.kind != "spot")
        )
        self.coin_ids = {name: number for number, name in enumerate(self.coins)}
        self.instrument_ids = {name: number for number, name in enumerate(self.instruments)}

    def pack(self, account: Account) -> Packed:
        """Return the account's rows."""
        mode = MODES.index(account.mode)
        if account.unknown_to(self.reference):
            return Packed(mode, BARE, known=False)
        if _only_decimals(account, self.reference):
            return _Packing(self, account, mode).run_exact()
        return _Packing(self, account, mode).run()


def _only_decimals(account: Account, reference: Reference) -> bool:
    """Whether floats do not know the account's rules, or prices change what its orders freeze."""
    if account.mode == "portfolio" or (account.mode == "spot" and account.positions):
        return True
    if any(order.price is None for order in account.orders.values()):
        return True
    return bool(reference.policy.anticipate_funding and account.isolated)


class _Packing:
    __slots__ = (
        "account",
        "alone",
        "coin_ids",
        "fees",
        "frozen",
        "instrument_ids",
        "mode",
        "names",
        "needs",
        "opening",
        "packer",
        "reference",
        "rows",
        "settling",
        "sizes",
        "taken",
    )

    def __init__(self, packer: Packer, account: Account, mode: int) -> None:
        self.packer = packer
        self.reference = packer.reference
        self.coin_ids, self.instrument_ids = packer.coin_ids, packer.instrument_ids
        self.account = account
        self.mode = mode
        self.fees: Fees = self.reference.fees_of(account.fee_schedule)
        self.names: dict[str, int] = {}
        self.settling: set[str] = set()
        self.frozen: dict[str, list[Decimal]] = {}
        """Coin → [what orders with auto-borrow freeze, what those without do] (CU-4)."""
        self.taken: dict[str, Decimal] = {}
        self.opening: dict[str, Decimal] = {}
        self.sizes: dict[tuple[str, str], Decimal] = {}
        """MM-2: (family, kind) → gross contracts."""
        self.needs: set[int] = set()
        self.rows: dict[str, list[bytes]] = {name: [] for name in TABLES}

    def run(self) -> Packed:
        account, instruments = self.account, self.reference.instruments
        for name, balance in account.balances.items():
            if not balance.is_empty():
                self._holding(name)
        spot, derivatives, isolated = self._sorted_orders()
        self._sizes(derivatives)
        for position in account.positions.values():
            instrument = instruments[position.instrument]
            self.settling.add(instrument.settle or instrument.quote)
            self._position(position.instrument, instrument, position.quantity, position.entry_price)
        for order in derivatives:
            self._derivative_order(order, instruments[order.instrument])
        for order in isolated:
            self._isolated_order(order, instruments[order.instrument])
        for rank, order in enumerate(spot):
            self._spot_order(rank, order, instruments[order.instrument])
        for number, held in enumerate(account.isolated.values()):
            self._isolated(number, held, instruments[held.instrument])
        touched = self._touched()
        for name in self.names:
            self._pack_holding(name, touched)
        return self._packed(exact=False)

    def run_exact(self) -> Packed:
        """Pack isolated positions, and which prices the account is made of; the rest is decimals'."""
        account, instruments = self.account, self.reference.instruments
        for number, held in enumerate(account.isolated.values()):
            self._isolated(number, held, instruments[held.instrument])
        for holder in (account.positions, account.orders):
            for item in holder.values():
                if instruments[item.instrument].kind != "spot":
                    self._marked(item.instrument)
                    self.needs.add(self.coin_ids[instruments[item.instrument].underlying])
        self.needs |= self._touched()
        self.needs.update(self.coin_ids[name] for name in account.balances)
        return self._packed(exact=True)

    def _packed(self, *, exact: bool) -> Packed:
        pack = TABLES["needs"].pack
        self.rows["needs"] = [pack(place) for place in sorted(self.needs)]
        return Packed(
            self.mode,
            tuple(b"".join(rows) for rows in self.rows.values()),
            exact=exact,
            ordered=bool(self.account.orders),
            isolated=tuple(self.account.isolated),
        )

    # -- orders and sizes ---------------------------------------------------------------------

    def _sorted_orders(self) -> tuple[list[OpenOrder], list[OpenOrder], list[OpenOrder]]:
        """Return spot, derivative and isolated orders, each in the order of their ids."""
        spot: list[OpenOrder] = []
        derivatives: list[OpenOrder] = []
        isolated: list[OpenOrder] = []
        for _, order in sorted(self.account.orders.items()):
            if order.margin_mode == "isolated":
                isolated.append(order)
            elif self.reference.instruments[order.instrument].kind == "spot":
                spot.append(order)
            else:
                derivatives.append(order)
        for orders in (derivatives, isolated):
            if orders:
                self.opening.update(opening_parts(self.account, orders))
        return spot, derivatives, isolated

    def _sizes(self, orders: Iterable[OpenOrder]) -> None:
        """MM-2: of options only what is short or sold to open counts."""
        instruments, sizes = self.reference.instruments, self.sizes
        for position in self.account.positions.values():
            entry, quantity = instruments[position.instrument], position.quantity
            if entry.kind != "option" or quantity < 0:
                group = (entry.family, entry.kind)
                sizes[group] = sizes.get(group, ZERO) + abs(quantity)
        for order in orders:
            entry = instruments[order.instrument]
            if entry.kind != "option" or order.side == "sell":
                group = (entry.family, entry.kind)
                sizes[group] = sizes.get(group, ZERO) + self.opening[order.order_id]

    # -- what is held and ordered -------------------------------------------------------------

    def _holding(self, name: str) -> int:
        return self.names.setdefault(name, len(self.names))

    def _marked(self, name: str) -> int:
        number = self.instrument_ids[name]
        self.needs.add(len(self.packer.coins) + number)
        return number

    def _freeze(self, coin: str, amount: Decimal, *, borrows: bool = True) -> None:
        found = self.frozen.setdefault(coin, [ZERO, ZERO])
        found[0 if borrows else 1] += amount

    def _take(self, coin: str, amount: Decimal) -> None:
        """AE-1: take frozen equity or an estimated fee off the adjusted equity."""
        self._freeze(coin, amount)
        self.taken[coin] = self.taken.get(coin, ZERO) + amount

    def _position(self, name: str, entry: Instrument, quantity: Decimal, price: Decimal) -> None:
        holding = self._holding(entry.settle or entry.quote)
        number = self._marked(name)
        coins = quantity * self.reference.sizes[name]
        pack = TABLES["legs"].pack
        if entry.kind == "option":
            self.rows["legs"].append(pack(holding, number, OPTION, float(coins), 0.0, 0.0))
            if quantity < 0:
                self._short(name, entry, -coins, held=True)
            return
        tier = position_tier(entry.position_tiers, self.sizes[entry.family, entry.kind])[1]
        need = abs(coins) * (tier.maintenance + self.fees.derivative_taker)
        kind = INVERSE if entry.inverse else LINEAR
        self.rows["legs"].append(
            pack(holding, number, kind, float(coins), float(price), float(need))
        )

    def _short(self, name: str, entry: Instrument, coins: Decimal, *, held: bool) -> None:
        tier = position_tier(entry.position_tiers, self.sizes[entry.family, entry.kind])[1]
        underlying = self.coin_ids[entry.underlying]
        self.needs.add(underlying)
        self.rows["shorts"].append(
            TABLES["shorts"].pack(
                self._holding(entry.settle or entry.quote),
                self._marked(name),
                underlying,
                entry.option_type == "put",
                float(coins),
                float(coins) if held else 0.0,
                float(self.reference.options[entry.underlying].c * factor_of(tier)),
                float(self.fees.derivative_taker),
            )
        )

    def _derivative_order(self, order: OpenOrder, entry: Instrument) -> None:
        settle = entry.settle or entry.quote
        holding, number = self._holding(settle), self._marked(order.instrument)
        size, taker = self.reference.sizes[order.instrument], self.fees.derivative_taker
        price = order.price if order.price is not None else ONE
        fee = order_fee(entry, size, order.remaining, price, taker)
        opens = self.opening[order.order_id]
        if entry.kind == "option" and order.side == "buy":
            fee += trade_value(entry, size, order.remaining, price)
        self._take(settle, fee)
        if not opens:
            return
        if entry.kind == "option":
            if order.side == "sell":
                self._short(order.instrument, entry, opens * size, held=False)
            return
        tier = position_tier(entry.position_tiers, self.sizes[entry.family, entry.kind])[1]
        kind = INVERSE if entry.inverse else LINEAR
        need = opens * size * (tier.maintenance + taker)
        self.rows["legs"].append(TABLES["legs"].pack(holding, number, kind, 0.0, 0.0, float(need)))

    def _isolated_order(self, order: OpenOrder, entry: Instrument) -> None:
        is_spot = entry.kind == "spot"
        coin = entry.quote if is_spot else entry.settle or entry.quote
        if is_spot:
            self._holding(entry.underlying)
        else:
            self._marked(order.instrument)
        self._holding(coin)
        size = ONE if is_spot else self.reference.sizes[order.instrument]
        taker = self.fees.spot_taker if is_spot else self.fees.derivative_taker
        price = order.price if order.price is not None else ONE
        opens = self.opening[order.order_id]
        frozen = trade_value(entry, size, order.remaining, price) * taker
        if opens:
            leverage = isolated_leverage(
                self.account, order.instrument, order.position_side, order.leverage
            )
            frozen += trade_value(entry, size, opens, price) / leverage
        self._take(coin, frozen)

    def _spot_order(self, rank: int, order: OpenOrder, entry: Instrument) -> None:
        base, quote = self._holding(entry.underlying), self._holding(entry.quote)
        price = order.price if order.price is not None else ONE
        amount = order.remaining
        worth = amount * price
        by_order = self.account.mode == "spot"
        borrows = order.auto_borrow if by_order else self.account.auto_borrow
        buys = order.side == "buy"
        self._freeze(
            entry.quote if buys else entry.underlying, worth if buys else amount, borrows=borrows
        )
        given = (quote, worth, 1.0) if buys else (base, amount, float(price))
        received = (base, amount, float(price)) if buys else (quote, worth, 1.0)
        self.rows["orders"].append(
            TABLES["orders"].pack(
                rank,
                given[0],
                received[0],
                quote,
                float(given[1]),
                float(received[1]),
                given[2],
                received[2],
                float(ONE - self.fees.spot_taker),
            )
        )

    def _isolated(self, number: int, held: IsolatedPosition, entry: Instrument) -> None:
        """MR-3: its tier goes by its own size, which no price changes."""
        coins = self.coin_ids
        quote, margin = entry.settle or entry.quote, held.margin_currency
        if entry.kind == "spot":
            kind, instrument, size = MARGIN, -1, held.quantity
            owed = held.liability + held.accrued_interest
            owed_coin = held.liability_currency
            tier = borrow_tier(self._currency(owed_coin).borrow_tiers, owed)[1]
            rate = tier.maintenance + (ONE + tier.maintenance) * self.fees.spot_taker
            self.needs.update((coins[entry.underlying], coins[owed_coin]))
        else:
            kind = INVERSE if entry.inverse else LINEAR
            instrument = self._marked(held.instrument)
            size = held.quantity * self.reference.sizes[held.instrument]
            owed, owed_coin = ZERO, margin
            contracts = position_tier(entry.position_tiers, abs(held.quantity))[1]
            rate = contracts.maintenance + self.fees.derivative_taker
        self.needs.update((coins[quote], coins[margin]))
        self.rows["isolated"].append(
            TABLES["isolated"].pack(
                number,
                kind,
                instrument,
                coins[entry.underlying],
                coins[quote],
                coins[margin],
                coins[owed_coin],
                float(size),
                float(held.entry_price),
                float(held.margin),
                float(owed),
                float(held.accrued_interest),
                float(rate),
            )
        )

    # -- currencies ---------------------------------------------------------------------------

    def _currency(self, name: str) -> Currency:
        return USD if name == "USD" else self.reference.currencies[name]

    def _touched(self) -> set[int]:
        """PX-3: the coins whose price is needed even where they count for nothing."""
        instruments, account = self.reference.instruments, self.account
        found = {place for place in self.needs if place < len(self.packer.coins)}
        for holder in (account.positions, account.orders):
            for item in holder.values():
                entry = instruments[item.instrument]
                names = (
                    (entry.underlying, entry.quote)
                    if entry.kind == "spot"
                    else (entry.settle or entry.quote,)
                )
                found.update(self.coin_ids[name] for name in names)
        return found

    def _pack_holding(self, name: str, touched: set[int]) -> None:
        account, entry, coin = self.account, self._currency(name), self.coin_ids[name]
        balance = account.balances.get(name, _NOTHING)
        cash, borrowed, interest = balance.cash, balance.borrowed, balance.accrued_interest
        net = cash - borrowed - interest
        counts = counts_as_collateral(account, name, entry)
        worthless = not counts and net > 0 and not (borrowed or interest) and coin not in touched
        if not worthless:
            self.needs.add(coin)
        with_, without = self.frozen.get(name, (ZERO, ZERO))
        taken = self.taken.get(name, ZERO)
        moving = name in self.settling
        owed = borrowing = need = ZERO
        taker = self.fees.spot_taker
        if not moving:
            owed = liability(account.mode, cash, borrowed, interest, net)  # CU-6
            borrowing = potential_borrowing(account, cash, net, owed, without, with_)  # CU-7
            rate = borrow_tier(entry.borrow_tiers, borrowing)[1].maintenance
            need = borrowing * (rate + (ONE + rate) * taker)  # MM-1, MM-4
        self.rows["holdings"].append(
            TABLES["holdings"].pack(
                coin,
                counts,
                moving,
                account.auto_borrow,
                float(net),
                float(abs(cash) + borrowed + interest + with_ + without + taken),
                float(borrowing),
                float(need),
                float(taker),
                float(with_ + without),
                float(taken),
            )
        )
