"""Readers of recorded prices: Parquet and CSV in the layouts that exchanges and vendors publish."""

from streams.replay.formats.columns import BadRows
from streams.replay.formats.layouts import LAYOUTS, Layout, accepted
from streams.replay.formats.recording import Recording, open_recording

__all__ = ["LAYOUTS", "BadRows", "Layout", "Recording", "accepted", "open_recording"]
