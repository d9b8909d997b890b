"""Options by Black-76: value, sensitivities, implied volatility (RD-2, PM-4)."""

from monitor.options.black76 import (
    Kind,
    Sensitivities,
    delta,
    gamma,
    sensitivities,
    theta,
    value,
    vega,
    years_between,
)
from monitor.options.implied import MOST_DEVIATION, implied_volatility
from monitor.options.marks import OptionPoint, coin_delta, option_point

__all__ = [
    "MOST_DEVIATION",
    "Kind",
    "OptionPoint",
    "Sensitivities",
    "coin_delta",
    "delta",
    "gamma",
    "implied_volatility",
    "option_point",
    "sensitivities",
    "theta",
    "value",
    "vega",
    "years_between",
]
