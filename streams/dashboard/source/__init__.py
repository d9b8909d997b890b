"""What the dashboard reads: Redis (accounts, ratios, bands, workers) and the topics.

`Source` starts at once and never fails: what is away is named in its overview, and questions that
need it raise `Away`.
"""

from streams.dashboard.source.exceptions import Away, NotKnown, NotPriced
from streams.dashboard.source.source import Source

__all__ = ["Away", "NotKnown", "NotPriced", "Source"]
