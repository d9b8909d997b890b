"""The intake that the settings name."""

from __future__ import annotations

from streams.intake.base import Intake
from streams.settings import Settings

__all__ = ["create_intake"]


def create_intake(settings: Settings) -> Intake:
    """Return a new intake; only the library that it needs is loaded."""
    if settings.intake == "aiokafka":
        from streams.intake.aiokafka import AiokafkaIntake

        return AiokafkaIntake(settings)
    from streams.intake.faust import FaustIntake

    return FaustIntake(settings)
