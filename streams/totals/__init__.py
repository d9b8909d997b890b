"""H-10: what main accounts and everybody borrow, over all workers, and how old that is.

Each partition's owner counts its accounts' potential borrowing (BL-4), and publishes once a second what
is in the journal by then. Every worker reads all of it. Nothing in here knows of a Faust app or a
journal::

    counting.mark(partition, account_id)     # its record changed; it is counted in a turn of its own
    frozen = part.freeze(now, epoch)         # what is published once it is durable
    totals = reader.totals()                 # None while any partition's part is unknown
"""

from streams.totals.counting import Counting, Frozen, Part
from streams.totals.reader import TotalsReader
from streams.totals.records import Figure, as_of_record, decode_figure, main_account_record
from streams.totals.sums import Sums

__all__ = [
    "Counting",
    "Figure",
    "Frozen",
    "Part",
    "Sums",
    "TotalsReader",
    "as_of_record",
    "decode_figure",
    "main_account_record",
]
