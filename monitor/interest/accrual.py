"""Hourly interest of each account: windows, accruals and deductions, each exactly once (IN-1).

Time walks by the account's own events (`ts`) and, where there are none, by the clock. An hour is worked
out when its recording window is past; what was not looked at in time is made up for, hour by hour, at
each hour's own prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple
from zlib import crc32

from monitor.account.events import GAP_MS
from monitor.account.glance import Glance
from monitor.account.interest import (
    HOUR_MS,
    Base,
    Due,
    InterestState,
    InterestStep,
    Window,
    hour_of,
    interest_id,
)
from monitor.account.state import Account
from monitor.currency import USD
from monitor.interest.bases import Charges, charges_at, greatest, may_owe
from monitor.interest.booking import accrue, carried, deduct, kept_moment, restored
from monitor.interest.hours import HourBook
from monitor.limits import utilisation, yearly_rate
from monitor.reference import Reference
from monitor.schema.events import AccountEvent
from monitor.schema.interest import InterestNotice
from monitor.schema.reference import Policy

__all__ = ["LATE_MS", "MOMENTS_AT_MOST", "RETRY_MS", "SPREAD_MS", "Interest", "InterestObserver"]

LATE_MS = GAP_MS
"""How long the clock waits for events of a window that is past; `time_scale` multiplies it."""
SPREAD_MS = 4_000
"""H-8: over how long the accounts of one hour are spread; `time_scale` multiplies it."""
RETRY_MS = 30_000
"""When an hour that could not be worked out is tried again; `time_scale` multiplies it."""
MOMENTS_AT_MOST = 128
"""Moments kept in a book, of about 1 KB each, while prices of their hours are missing."""


class _Place(NamedTuple):
    """Where between an account's events something was booked."""

    book: Mapping[str, int]
    account_seq: int | None


_NOWHERE = _Place({}, None)
"""Of an account without interest: nothing is booked before its first event is taken."""


class Interest:
    """Works out the interest of any account, from the hours known. Keeps nothing of an account."""

    def __init__(self, hours: HourBook | None = None) -> None:
        self.hours = HourBook() if hours is None else hours

    def observer(self, account: Account, reference: Reference) -> InterestObserver:
        """Return what `take` is to tell of one event; make it before `take` is called."""
        return InterestObserver(self, account, reference)

    def due(self, account: Account, reference: Reference, now: int) -> list[InterestNotice]:
        """Work out what is due by the clock; the book has changed if anything is returned.

        Only for accounts whose events up to `now` are folded. Nothing is done while one is missing.
        """
        if not account.known or _waits(account):
            return []
        if account.interest is None:
            if reference.interest_times.booked_here:
                account.interest = InterestState(hour_of(now), now)
            return []
        upto = now - _lateness(account, reference.policy) + 1
        place = _Place(account.offsets, account.account_seq)
        notices = self.work_out(account, reference, upto, place)
        if account.interest is not None:
            account.interest.clock = max(account.interest.clock, upto - 1)
        return notices

    def next_time(self, account: Account, reference: Reference, now: int) -> int | None:
        """Return the epoch ms at which `due` has something to do; None: not before an event."""
        return self.not_past(self.scheduled(account, reference), reference.policy, now)

    def scheduled(self, account: Account | Glance, reference: Reference) -> int | None:
        """Return the epoch ms from which on interest is due; 0: it begins with the first look."""
        policy, times, state = reference.policy, reference.interest_times, account.interest
        if not account.known or _waits(account):
            return None
        if state is None:
            return 0 if times.booked_here else None
        if state.due:
            at = state.due[0].hour + times.deduction
        elif not times.booked_here:
            at = 0
        elif state.windows or may_owe(account):
            at = state.accrued + HOUR_MS + times.recording
        else:
            return None
        return at + _lateness(account, policy)

    def not_past(self, at: int | None, policy: Policy, now: int) -> int | None:
        """Return when to look at what is `scheduled`: what is past is tried again later."""
        if at is None or at > now:
            return at
        return now + max(1, int(RETRY_MS * policy.time_scale)) if at else now

    # -- one account, step by step ----------------------------------------------------------------

    def work_out(
        self, account: Account, reference: Reference, upto: int, place: _Place
    ) -> list[InterestNotice]:
        """Accrue and deduct whatever lies before `upto`, in order of time, as far as hours are known."""
        times, state = reference.interest_times, account.interest
        notices: list[InterestNotice] = []
        while state is not None:
            if state.due:
                if state.due[0].hour + times.deduction >= upto:
                    break
                notices += _deduct_all(account, state, reference, place)
                continue
            if not times.booked_here:
                account.interest = None  # the exchange books it from now on
                break
            hour = state.accrued + HOUR_MS
            if hour + times.recording >= upto:
                break
            if not state.windows and not may_owe(account):
                state.accrued = hour_of(upto - 1 - times.recording)
                continue
            dues = self._work_out_hour(account, state, reference, hour)
            if dues is None:
                break
            notices += _accrue_all(account, state, reference, hour, dues, place)
        return notices

    def _work_out_hour(
        self, account: Account, state: InterestState, reference: Reference, hour: int
    ) -> list[Due] | None:
        """IN-1: return the interest of one hour; None while its prices or rates are unknown."""
        window = state.windows[0] if state.windows else None
        found = self._bases_of(account, window, reference, hour)
        if found is None:
            return None
        if not found.bases:
            return []
        known = self.hours.at(hour)
        if known is None:
            return None
        marked = window is not None and window.estimated
        estimated = marked or account.out_of_sync or not (found.exact and known.exact)
        dues = []
        for base in sorted(found.bases, key=lambda b: (b.currency, b.position or "")):
            rate = known.rates.get(base.currency)
            if rate is None:
                rate = _rate_of(base.currency, reference)
            amount = base.charged * rate / 365 / 24  # IN-1
            if amount:
                dues.append(
                    Due(
                        hour,
                        base.currency,
                        base.position,
                        base.liability,
                        base.free,
                        rate,
                        amount,
                        estimated,
                    )
                )
        return dues

    def _bases_of(
        self, account: Account, window: Window | None, reference: Reference, hour: int
    ) -> Charges | None:
        """Return the greatest bases of a window; without one the book is as it was on the hour."""
        bases: list[Base] = []
        exact = True
        lost = window is not None and window.thinned and not (window.moments or window.bases)
        if window is None or lost:
            moments = [account]
        else:
            moments = [restored(moment) for moment in window.moments]
        for moment in moments:
            found = charges_at(moment, reference, self.hours, hour)
            if found is None:
                return None
            greatest(bases, found.bases)
            exact = exact and found.exact
        if window is not None:
            greatest(bases, window.bases)
        return Charges(bases, exact)

    def open_windows(self, account: Account, reference: Reference, ts: int) -> None:
        """Note the book as it is for every hour before `ts` that could not be worked out yet."""
        state = account.interest
        if state is None or not reference.interest_times.booked_here:
            return
        hour = state.windows[-1].hour if state.windows else state.accrued
        while (hour := hour + HOUR_MS) < ts:
            state.windows.append(Window(hour))
            self._note(account, state, reference)
        state.clock = max(state.clock, ts)

    def note(self, account: Account, reference: Reference) -> None:
        """Note the book as an event has left it, where that was within a window."""
        state = account.interest
        if state is None or not state.windows:
            return
        if state.clock <= state.windows[-1].hour + reference.interest_times.recording:
            self._note(account, state, reference)

    def _note(self, account: Account, state: InterestState, reference: Reference) -> None:
        """Note the book in the last window: what bears interest, or the moment itself.

        Interest of an earlier hour that is not worked out would be missing in what is owed now, so
        then the moment is kept too.
        """
        window = state.windows[-1]
        found = None
        if len(state.windows) == 1:
            found = charges_at(account, reference, self.hours, window.hour)
        if found is not None:
            greatest(window.bases, found.bases)
            window.estimated = window.estimated or not found.exact
        elif sum(len(w.moments) for w in state.windows) < MOMENTS_AT_MOST:
            window.moments.append(kept_moment(account))
        else:
            window.estimated = window.thinned = True


class InterestObserver:
    """Told by `take` of every event of one account (`monitor.account.Observer`)."""

    def __init__(self, interest: Interest, account: Account, reference: Reference) -> None:
        self.notices: list[InterestNotice] = []
        """What was accrued and deducted before the events."""
        self._interest, self._reference = interest, reference
        self._place = _NOWHERE if account.interest is None else _place_of(account)

    def before(self, account: Account, event: AccountEvent) -> None:
        """Work out what lies before the event; an event at a boundary still belongs before it."""
        if account.interest is not None:
            self.notices += self._interest.work_out(account, self._reference, event.ts, self._place)
            self._interest.open_windows(account, self._reference, event.ts)

    def after(self, account: Account, event: AccountEvent) -> None:
        """Note what the event has done, where that counts."""
        if account.interest is not None:
            self._interest.note(account, self._reference)
        elif account.known and self._reference.interest_times.booked_here:
            account.interest = InterestState(hour_of(max(0, event.ts - 1)), event.ts)
        else:
            return  # where the exchange books, no place is ever asked for
        seq = account.account_seq if event.account_seq is None else event.account_seq
        self._place = _Place(dict(account.offsets), seq)


# -- booking and saying so ----------------------------------------------------------------------


def _accrue_all(
    account: Account,
    state: InterestState,
    reference: Reference,
    hour: int,
    dues: list[Due],
    place: _Place,
) -> list[InterestNotice]:
    state.accrued = hour
    if state.windows:
        del state.windows[0]
    if dues:
        for later in state.windows:
            later.moments = [carried(moment, dues) for moment in later.moments]
    for due in dues:
        if accrue(account, due):
            state.due.append(due)
    ts = hour + reference.interest_times.recording
    return [_notice(account, due, "accrued", due.amount, ts, reference, place) for due in dues]


def _deduct_all(
    account: Account, state: InterestState, reference: Reference, place: _Place
) -> list[InterestNotice]:
    notices = []
    for due in state.due:
        amount = deduct(account, due)
        if amount:
            ts = due.hour + reference.interest_times.deduction
            notices.append(_notice(account, due, "deducted", amount, ts, reference, place))
    state.due = []
    return notices


def _notice(
    account: Account,
    due: Due,
    step: InterestStep,
    amount: Decimal,
    ts: int,
    reference: Reference,
    place: _Place,
) -> InterestNotice:
    """IN-6."""
    return InterestNotice(
        interest_id=interest_id(account.account_id, due.currency, due.position, due.hour, step),
        account_id=account.account_id,
        state=step,
        currency=due.currency,
        instrument=due.position.partition("/")[0] if due.position is not None else None,
        liability=due.liability,
        free=due.free,
        yearly_rate=due.yearly_rate,
        amount=amount,
        hour=due.hour,
        estimated=due.estimated,
        book=dict(place.book),
        account_seq=place.account_seq,
        reference=reference.sha256,
        ts=ts,
    )


def _place_of(account: Account) -> _Place:
    return _Place(dict(account.offsets), account.account_seq)


def _rate_of(currency: str, reference: Reference) -> Decimal:
    entry = USD if currency == "USD" else reference.currencies[currency]
    return yearly_rate(entry, utilisation(currency, reference, None))  # BL-3


# -- settings -----------------------------------------------------------------------------------


def _waits(account: Account | Glance) -> bool:
    """Say whether an event is known to be missing: what it does may come before what is due."""
    return account.gap_since is not None and not account.out_of_sync


def _lateness(account: Account | Glance, policy: Policy) -> int:
    """How long after a boundary the clock has passed it for this account; the events never wait."""
    own = crc32(account.account_id.encode()) % SPREAD_MS
    return int((LATE_MS + own) * policy.time_scale)
