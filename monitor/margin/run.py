"""One assessment in progress: what its steps share."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.state import Account, OpenOrder
from monitor.currency import USD, switched_off
from monitor.exact import ZERO
from monitor.margin.figures import Figures
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.schema.reference import Currency, Fees

__all__ = ["Group", "Run"]

Group = tuple[str, str]
"""(family, kind of instrument): what shares one tier (MM-2)."""


class Run:
    """One look at one account: prices found, sums so far."""

    __slots__ = (
        "account",
        "coins",
        "contracts",
        "derivative_orders",
        "fees",
        "figures",
        "forwards",
        "frozen_fees",
        "frozen_with",
        "frozen_without",
        "gross",
        "gross_positions",
        "indices",
        "isolated_orders",
        "marks",
        "missing",
        "opening",
        "options_value",
        "other_indices",
        "prices",
        "reference",
        "spot_orders",
        "switched_off",
        "unrealised",
    )

    def __init__(self, account: Account, reference: Reference, prices: PriceBook) -> None:
        self.account = account
        self.reference = reference
        self.coins = reference.coins
        self.contracts = reference.contracts
        self.switched_off = switched_off(account)
        self.prices = prices
        self.figures = Figures(account.account_id, account.mode)
        self.fees: Fees = reference.fees_of(account.fee_schedule)
        self.spot_orders: list[OpenOrder] = []
        self.derivative_orders: list[OpenOrder] = []
        self.isolated_orders: list[OpenOrder] = []
        """All three in the order of their ids."""
        self.opening: dict[str, Decimal] = {}
        """Order id → contracts (base coin) that open or add."""
        self.marks: dict[str, Decimal] = {}
        self.indices: dict[str, Decimal] = {}
        """Currency of the cross account → USD."""
        self.other_indices: dict[str, Decimal] = {}
        """What only short options and isolated positions are priced by → USD."""
        self.forwards: dict[str, Decimal] = {}
        """Short option → the mark of its same-expiry future, where there is one."""
        self.missing: list[str] = []
        self.unrealised: dict[str, Decimal] = {}
        self.options_value: dict[str, Decimal] = {}
        self.frozen_with: dict[str, Decimal] = {}
        self.frozen_without: dict[str, Decimal] = {}
        self.frozen_fees: dict[str, Decimal] = {}
        self.gross: dict[Group, Decimal] = {}
        self.gross_positions: dict[Group, Decimal] = {}

    def currency(self, name: str) -> Currency:
        return USD if name == "USD" else self.reference.currencies[name]

    def index(self, name: str) -> Decimal:
        """Return the index of a currency that was found to be needed, in USD."""
        found = self.indices.get(name)
        return found if found is not None else self.other_indices[name]

    def freeze(self, coin: str, amount: Decimal) -> None:
        """CU-4: freeze `amount` coin as the account's auto-borrow allows (CU-7)."""
        self.frozen_with[coin] = self.frozen_with.get(coin, ZERO) + amount
