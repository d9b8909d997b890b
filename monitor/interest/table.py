"""What borrowing costs, by currency (IN-6, BL-3)."""

from __future__ import annotations

from monitor.interest.hours import HourBook
from monitor.limits import Totals, next_yearly_rate, utilisation
from monitor.reference import Reference
from monitor.schema.interest import InterestRates

__all__ = ["interest_table"]


def interest_table(
    reference: Reference, totals: Totals | None, hours: HourBook
) -> dict[str, InterestRates]:
    """IN-6: return what is lent out of every currency, its last hour's rate and the next one's."""
    last = hours.at(hours.last)
    found = {}
    for name, entry in sorted(reference.currencies.items()):
        lent = totals.of_platform(name) if totals is not None else None
        found[name] = InterestRates(
            currency=name,
            lent_out=entry.lent_out if lent is None else lent,
            platform_pool=entry.platform_pool,
            last_hour=hours.last if last is not None else None,
            last_yearly_rate=last.rates.get(name) if last is not None else None,
            next_yearly_rate=next_yearly_rate(entry, utilisation(name, reference, totals)),
        )
    return found
