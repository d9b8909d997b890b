"""Coins of one account in floats: what is held and owed, and what open orders freeze."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.state import Account, Balance, OpenOrder
from monitor.currency import counts_as_collateral, liability, potential_borrowing
from monitor.exact import ZERO
from monitor.reference import borrow_tier
from monitor.watch.exposures import NO_FLOOR, Debt, Holding
from monitor.watch.floors import asks_by_itself, equity_floor, quota_moves
from monitor.watch.tables import Coin, Tables

__all__ = ["CoinForm"]

_NOTHING = Balance()
_NO_FROZEN = (ZERO, ZERO, ZERO)


class CoinForm:
    """The coins of one account; each gets its place among the holdings as it comes up."""

    __slots__ = (
        "_account",
        "_frozen",
        "_tables",
        "asked",
        "cancellable",
        "exact_only",
        "names",
        "settling",
    )

    def __init__(self, account: Account, tables: Tables) -> None:
        """Name the coins that are held or owed, but those that count nothing: priced or not, a positive
        coin that counts 0 changes no ratio (PX-3).
        """
        self._account, self._tables = account, tables
        self.names: dict[str, int] = {}
        self._frozen: dict[str, tuple[Decimal, Decimal, Decimal]] = {}
        """Coin → frozen by orders that may borrow (fees included), by those that may not, and fees."""
        self.settling: set[str] = set()
        """Coins whose equity marks move."""
        self.cancellable: set[str] = set()
        """Coins frozen by orders that a rule may cancel (OC-4)."""
        self.asked = False
        """Whether OC-2, OC-3 or IN-4 may hold by a coin whose equity no price moves."""
        self.exact_only = False
        names, currencies = self.names, tables.reference.currencies
        for name, balance in account.balances.items():
            if not (balance.borrowed or balance.accrued_interest):
                cash = balance.cash
                if not cash:
                    continue
                positive = cash > ZERO and name != "USD"
                if positive and not counts_as_collateral(account, name, currencies[name]):
                    continue
            names[name] = len(names)

    def place(self, name: str) -> int:
        """Return the place of a coin among the holdings, made when it is new."""
        return self.names.setdefault(name, len(self.names))

    def freeze(
        self, order: OpenOrder, coin: str, with_: Decimal, without: Decimal, fees: Decimal
    ) -> None:
        """CU-4: add to what orders hold of a coin: those that may borrow, those that may not, fees."""
        if not order.reduce_only and order.command_id is None:
            self.cancellable.add(coin)  # OC-4
        known = self._frozen.get(coin)
        if known is not None:
            with_, without, fees = known[0] + with_, known[1] + without, known[2] + fees
        self._frozen[coin] = (with_, without, fees)

    def holdings(self) -> list[Holding]:
        """Return the holdings in the order of their places, once all that settles or freezes is told."""
        account, coin_of, frozen_of = self._account, self._tables.coin, self._frozen
        settling, balances, leverages = self.settling, account.balances, account.borrow_leverage
        lever = 1.0 / float(leverages["*"]) if "*" in leverages else 1.0
        off = account.collateral_off if account.mode == "multi_currency" else ()
        found = []
        for name in self.names:
            coin = coin_of(name)
            balance = balances.get(name, _NOTHING)
            cash = balance.cash
            held = net = float(cash)
            frozen = fees = ZERO
            if name in frozen_of:
                with_, without, fees = frozen_of[name]
                frozen = with_ + without
            debt: Debt | None = None
            floor = NO_FLOOR
            in_debt = balance.borrowed or balance.accrued_interest
            if in_debt:
                net = float(cash - balance.borrowed - balance.accrued_interest)
            if name in settling:
                floor = self._floor(name, frozen)
            elif in_debt or cash < frozen:
                debt = self._debt(name, coin, balance)
            else:
                # Cash that covers what is frozen owes and borrows nothing (CU-6, CU-7), and asks for
                # nothing: most coins of most accounts.
                debt = coin.owes_nothing
            if (
                settling
                and coin.adds_to_quota
                and quota_moves(account, self._tables.reference, name, settling)
            ):
                self.exact_only = True
            found.append(
                Holding(
                    coin.column,
                    coin.bridge,
                    held,
                    net,
                    debt,
                    coin.is_collateral and name not in off,
                    coin.by_value,
                    coin.discount,
                    coin.minimum_rate,
                    float(frozen) if frozen else 0.0,
                    float(fees) if fees else 0.0,
                    coin.borrow,
                    1.0 / float(leverages[name]) if name in leverages else lever,
                    floor,
                )
            )
        return found

    def _floor(self, name: str, frozen: Decimal) -> float:
        """How low marks may bring the coin's equity before it asks for something."""
        reference, cancellable = self._tables.reference, name in self.cancellable
        floor = equity_floor(self._account, reference, name, frozen, cancellable=cancellable)
        return NO_FLOOR if floor is None else float(floor)

    def _debt(self, name: str, coin: Coin, balance: Balance) -> Debt:
        """Find in decimals what is owed: in floats 0.1 + 0.2 would lie beyond a tier that ends at 0.3.

        Reductions bring debts down to exactly such bounds. Whether it asks for something is told here
        too: no price changes that.
        """
        account, reference = self._account, self._tables.reference
        cash, borrowed, interest = balance.cash, balance.borrowed, balance.accrued_interest
        equity = cash - borrowed - interest
        owed = liability(account.mode, cash, borrowed, interest, equity)
        with_, without, _ = self._frozen.get(name, _NO_FROZEN)
        borrowing = potential_borrowing(account, cash, equity, owed, without, with_)
        self.asked = self.asked or asks_by_itself(
            account,
            reference,
            name,
            equity=equity,
            borrowing=borrowing,
            owed=owed,
            lacks=without > cash if account.mode == "spot" else with_ + without > equity,
            cancellable=name in self.cancellable,
        )
        tiers = coin.entry.borrow_tiers
        tier = borrow_tier(tiers, borrowing)[1]
        alone = tier if borrowing == owed else borrow_tier(tiers, owed)[1]
        return Debt(
            float(owed),
            float(borrowing),
            float(tier.initial),
            float(tier.maintenance),
            float(alone.maintenance),
        )
