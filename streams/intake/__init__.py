"""How account events get into a worker: joined group, handed over, acknowledged when durable."""

from streams.intake.base import GROUP, Handler, Intake, Received

__all__ = ["GROUP", "Handler", "Intake", "Received"]
