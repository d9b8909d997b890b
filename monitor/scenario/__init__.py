"""What-if and liquidation map: all accounts at prices that are not there (WI-1, WI-2)."""

from monitor.scenario.bulk import Bulk
from monitor.scenario.distance import Distance, distances
from monitor.scenario.liquidation_map import liquidation_map
from monitor.scenario.messages import (
    FillAsked,
    LiquidationMap,
    WhatIfAnswer,
    WhatIfQuestion,
)
from monitor.scenario.shock import BadScenario
from monitor.scenario.what_if import what_if

__all__ = [
    "BadScenario",
    "Bulk",
    "Distance",
    "FillAsked",
    "LiquidationMap",
    "WhatIfAnswer",
    "WhatIfQuestion",
    "distances",
    "liquidation_map",
    "what_if",
]
