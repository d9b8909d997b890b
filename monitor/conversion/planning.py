"""The next batch of a forced conversion: which assets are sold for which owed coin (IN-4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from monitor.account.state import Account
from monitor.conversion.excess import Excess, excesses
from monitor.exact import ONE, ZERO, plain
from monitor.margin import Figures
from monitor.reduction.actions import debt_actions
from monitor.reduction.capping import summed, within_caps
from monitor.reduction.debts import Debt, repayment
from monitor.reduction.moves import Trade, lots_up
from monitor.reduction.step import Capped, Notionals, Plan
from monitor.reduction.trial import Market, Outcome, Trial
from monitor.schema.reference import Policy

__all__ = ["plan_conversion"]


def plan_conversion(account: Account, figures: Figures, market: Market) -> Plan | Capped | None:
    """Return the next batch; `None` when nothing is above its quota, or nothing can be sold for it.

    One owed coin a batch, the largest excess in USD first; one that cannot be brought down is passed
    over. `figures` are those of `account` at the prices of `market`. Whether an earlier batch is
    still pending, and the prices fresh, is the caller's question.
    """
    found = excesses(account, figures, market.reference)
    if not found or _endangered(figures.ratio, account, market):
        return None
    for excess in found:
        made = _Batch(account, figures, market, excess).plan()
        if made is not None:
            return made
    return None


def _endangered(ratio: Decimal | None, account: Account, market: Market) -> bool:
    """IN-4: whether an account is, or would be, at or below liquidation."""
    return ratio is not None and ratio <= market.reference.policy.level("liquidation", account.mode)


class _ConversionTrial(Trial):
    """Sells in the order of conversions, and nothing that the owed coin's quota counts.

    Available equity of such a coin raises the quota one for one (IN-3): selling it would lower the
    quota by all that is sold and the debt by less, the fee.
    """

    def __init__(self, account: Account, figures: Figures, market: Market, owed: str) -> None:
        super().__init__(account, figures, market)
        self._kept = frozenset(self.currency(owed).quota_adds_available_of)

    @property
    def policy(self) -> Policy:
        own = super().policy
        return own.model_copy(update={"sale_order": own.conversion_order})

    def collateral_rate(self, name: str) -> Decimal:
        return ZERO if name in self._kept else super().collateral_rate(name)


@dataclass(slots=True, frozen=True)
class _Sized:
    """The trades of a batch and what they make of the account."""

    trades: list[Trade]
    outcome: Outcome


class _Batch:
    """The sale of assets for one owed coin."""

    def __init__(self, account: Account, figures: Figures, market: Market, excess: Excess) -> None:
        self.account = account
        self.figures = figures
        self.market = market
        self.excess = excess
        self.trial = _ConversionTrial(account, figures, market, excess.currency)
        owed = figures.currencies[excess.currency]
        self.debt = Debt(
            excess.currency,
            owed.liability,
            owed.price,
            owed.borrow_tier,
            owed.liability - excess.amount,
            excess.amount,
        )
        self._known: dict[Decimal, _Sized] = {}

    def plan(self) -> Plan | Capped | None:
        whole = self._sized(self.excess.amount)
        if not whole.trades or not self._passes(whole):
            return None
        # Sizes count lots of the first trade, by what one lot brings in of the owed coin.
        first = whole.trades[0]
        worth = first.instrument.lot * self.trial.index(first.instrument.underlying)
        brought = worth / self.debt.price * (ONE - self.trial.fees.spot_taker)
        count = int(lots_up(self.excess.amount, brought))

        def sized(lots: int) -> _Sized:
            return self._sized(self.excess.amount if lots >= count else lots * brought)

        granted = within_caps(
            self.market,
            self.account.account_id,
            count,
            lambda lots: self._notionals(sized(lots).trades),
            lambda lots: bool(sized(lots).trades) and self._passes(sized(lots)),
            self._symbols(whole),
        )
        if isinstance(granted, Capped):
            return granted
        cut = granted.count < count
        return self._command(sized(granted.count), granted.left if cut else {}, cut=cut)

    def _sized(self, amount: Decimal) -> _Sized:
        """Return what brings `amount` of the owed coin in, its fee paid, in whole lots."""
        found = self._known.get(amount)
        if found is None:
            moves = repayment(self.trial, self.account, self.figures, self.debt, amount)
            trades = [move for move in moves if isinstance(move, Trade)]
            found = self._known[amount] = _Sized(trades, self.trial.value(trades))
        return found

    def _passes(self, sized: _Sized) -> bool:
        """As RD-7: no coin changes sign, and the account does not come to liquidation by it."""
        after = sized.outcome.figures
        if after.unpriced or _endangered(after.ratio, self.account, self.market):
            return False
        return not any(
            coin.equity * self._equity(name) < 0 for name, coin in after.currencies.items()
        )

    def _equity(self, name: str) -> Decimal:
        held = self.figures.currencies.get(name)
        return held.equity if held is not None else ZERO

    def _notionals(self, trades: Iterable[Trade]) -> Notionals:
        return summed(
            (trade.name, trade.quantity * self.trial.index(trade.instrument.underlying))
            for trade in trades
        )

    def _symbols(self, sized: _Sized) -> tuple[str, ...]:
        """Return every price used, those of the trades' coins included."""
        used = {*self.figures.symbols, *sized.outcome.figures.symbols}
        for trade in sized.trades:
            for coin in (trade.instrument.underlying, trade.instrument.quote):
                if coin != "USD":
                    used.update(key for key in self.market.prices.route(coin) if key is not None)
        return tuple(sorted(used))

    def _command(self, sized: _Sized, left: Mapping[str, Decimal], *, cut: bool) -> Plan:
        why = f"{plain(self.excess.amount)} {self.excess.currency} owed above the quota"
        return Plan(
            "auto_exchange",
            tuple(debt_actions(self.trial, self.debt, sized.trades, sized.outcome, why, left)),
            sized.outcome.figures.ratio,
            ("IN-4", "RD-6") if cut else ("IN-4",),
            self._symbols(sized),
            self._notionals(sized.trades),
            cut,
        )
