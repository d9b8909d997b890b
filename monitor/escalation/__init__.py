"""From assessments to commands: episodes, warnings, cancels, reduction steps (ES, OC, IN-4, IN-5, MR-3)."""

from monitor.escalation.confirmation import observe
from monitor.escalation.context import Context
from monitor.escalation.decision import decide, decide_isolated
from monitor.escalation.episode import (
    NAMESPACE,
    Episode,
    Pending,
    Wait,
    command_id,
    episode_id,
    next_deadline,
)

__all__ = [
    "NAMESPACE",
    "Context",
    "Episode",
    "Pending",
    "Wait",
    "command_id",
    "decide",
    "decide_isolated",
    "episode_id",
    "next_deadline",
    "observe",
]
