"""The end-to-end check over the topics: an independent, straight-line reading of the rules.

It shares nothing with the engine but the message models and the decimal context. It reads topics
only: every command must follow from the inputs it carries, and no crossing may stay unanswered.
"""

from streams.verify.check import Progress, check
from streams.verify.reader import MissingTopicError, read_history, verify
from streams.verify.records import TOPICS, History, Record
from streams.verify.report import VerifyReport, Violation

__all__ = [
    "TOPICS",
    "History",
    "MissingTopicError",
    "Progress",
    "Record",
    "VerifyReport",
    "Violation",
    "check",
    "read_history",
    "verify",
]
