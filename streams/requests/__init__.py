"""Questions over the bus: whoever owns an account answers what is asked about it.

`requests` and `answers` are keyed by account and have the account topics' partition count, so the owner
of a partition finds there what concerns its accounts. A request is best effort: nothing is acknowledged,
and what nobody could answer within ten seconds is not answered later.
"""

from streams.requests.asking import Asker, ask
from streams.requests.exceptions import NoAnswer, RequestFailed
from streams.requests.messages import (
    AssessmentAnswer,
    CheckReply,
    Inquiry,
    Request,
    RequestKind,
    Unanswered,
)
from streams.requests.reader import RequestReader

__all__ = [
    "Asker",
    "AssessmentAnswer",
    "CheckReply",
    "Inquiry",
    "NoAnswer",
    "Request",
    "RequestFailed",
    "RequestKind",
    "RequestReader",
    "Unanswered",
    "ask",
]
