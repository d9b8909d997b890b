"""One account's book, and how each event changes it."""

from monitor.account.decoding import decode
from monitor.account.events import (
    GAP_MS,
    EventSource,
    Observer,
    Outcome,
    Refusal,
    Taken,
    expire_unknown,
    open_account,
    take,
)
from monitor.account.exceptions import Rejected
from monitor.account.interest import InterestState
from monitor.account.state import (
    Account,
    Balance,
    EndedOrder,
    Held,
    IsolatedPosition,
    OpenOrder,
    Position,
    isolated_key,
    position_key,
)

__all__ = [
    "GAP_MS",
    "Account",
    "Balance",
    "EndedOrder",
    "EventSource",
    "Held",
    "InterestState",
    "IsolatedPosition",
    "Observer",
    "OpenOrder",
    "Outcome",
    "Position",
    "Refusal",
    "Rejected",
    "Taken",
    "decode",
    "expire_unknown",
    "isolated_key",
    "open_account",
    "position_key",
    "take",
]
