"""Sums over many sources that change one at a time: exact, and never added up anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from monitor.exact import ZERO

__all__ = ["Sums"]

Amounts = Mapping[str, Decimal]
"""Currency → coin, where there is any."""


class Sums:
    """What sources (accounts, or parts of other partitions) borrow, in coin."""

    def __init__(self) -> None:
        self.main_accounts: dict[str, dict[str, Decimal]] = {}
        """BL-2: main account → currency → coin."""
        self.platform: dict[str, Decimal] = {}
        """BL-3: currency → coin."""
        self._sources: dict[str, tuple[str, Amounts]] = {}
        self._members: dict[str, dict[str, None]] = {}
        self._holders: dict[tuple[str, str], int] = {}
        """How many sources stand behind a figure: with the last of them it is nothing, exactly."""

    def __contains__(self, source: str) -> bool:
        return source in self._sources

    def sources_of(self, main_account_id: str) -> Iterable[str]:
        """Return the sources that count for a main account."""
        return self._members.get(main_account_id, ())

    def sources_in(self, currency: str) -> list[str]:
        """Return the sources that borrow a currency; looks at all of them."""
        return [source for source, (_, found) in self._sources.items() if currency in found]

    def put(self, source: str, main_account_id: str, amounts: Amounts) -> tuple[str, ...]:
        """Let `source` count for so much and no more; return the main accounts that changed."""
        before = self._sources.get(source)
        if before == (main_account_id, amounts) or (before is None and not amounts):
            return ()
        changed: dict[str, None] = {}
        if before is not None:
            self._add(before[0], before[1], -1)
            changed[before[0]] = None
            del self._sources[source]
            members = self._members[before[0]]
            del members[source]
            if not members:
                del self._members[before[0]]
        if amounts:
            self._add(main_account_id, amounts, 1)
            changed[main_account_id] = None
            self._sources[source] = main_account_id, amounts
            self._members.setdefault(main_account_id, {})[source] = None
        return tuple(changed)

    def _add(self, main_account_id: str, amounts: Amounts, sign: int) -> None:
        own = self.main_accounts.setdefault(main_account_id, {})
        for currency, amount in amounts.items():
            self._move(own, main_account_id, currency, amount, sign)
            self._move(self.platform, "", currency, amount, sign)
        if not own:
            del self.main_accounts[main_account_id]

    def _move(
        self, figures: dict[str, Decimal], whose: str, currency: str, amount: Decimal, sign: int
    ) -> None:
        holders = self._holders.get((whose, currency), 0) + sign
        if holders:
            self._holders[(whose, currency)] = holders
            figures[currency] = figures.get(currency, ZERO) + sign * amount
        else:
            del self._holders[(whose, currency)], figures[currency]
