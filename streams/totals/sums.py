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
        self._borrowers: dict[str, dict[str, None]] = {}
        self._holders: dict[tuple[str, str], int] = {}
        """How many sources stand behind a figure: with the last of them it is nothing, exactly."""

    def __contains__(self, source: str) -> bool:
        return source in self._sources

    def sources_of(self, main_account_id: str) -> Iterable[str]:
        """Return the sources that count for a main account."""
        return self._members.get(main_account_id, ())

    def sources_in(self, currency: str) -> Iterable[str]:
        """Return the sources that borrow a currency."""
        return self._borrowers.get(currency, ())

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
            _leave(self._members, before[0], source)
            for currency in before[1]:
                _leave(self._borrowers, currency, source)
        if amounts:
            self._add(main_account_id, amounts, 1)
            changed[main_account_id] = None
            self._sources[source] = main_account_id, amounts
            self._members.setdefault(main_account_id, {})[source] = None
            for currency in amounts:
                self._borrowers.setdefault(currency, {})[source] = None
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


def _leave(groups: dict[str, dict[str, None]], name: str, source: str) -> None:
    """Take a source out of a group, and the group away with its last one."""
    group = groups[name]
    del group[source]
    if not group:
        del groups[name]
