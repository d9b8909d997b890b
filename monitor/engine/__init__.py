"""Accounts + prices + watch + escalation: event in, commands out. `now` is an input (H-1, ES-8)."""

from monitor.engine.batch import TickBatch
from monitor.engine.engine import Engine
from monitor.engine.entry import Decision, Entry
from monitor.engine.incoming import Incoming

__all__ = ["Decision", "Engine", "Entry", "Incoming", "TickBatch"]
