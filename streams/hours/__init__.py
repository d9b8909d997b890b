"""The `hour-prices` topic: what each full hour's prices and rates were, for interest (IN-1)."""

from streams.hours.missed import missed_hours
from streams.hours.reader import HourReader
from streams.hours.records import BadHour, decode_hour, hour_out
from streams.hours.writer import HourWriter

__all__ = ["BadHour", "HourReader", "HourWriter", "decode_hour", "hour_out", "missed_hours"]
