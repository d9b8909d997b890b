"""Points of a file that is not in time order, in time order with bounded memory."""

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import attrgetter
from pathlib import Path

import pyarrow as pa

from streams.replay.ticks import Point

RUN_ROWS = 500_000
_READ_ROWS = 8_192
_SCHEMA = pa.schema([("ts_ns", pa.int64()), ("series", pa.string()), ("price", pa.string())])


def in_time_order(
    points: Iterable[Point], run_rows: int = RUN_ROWS, read_rows: int = _READ_ROWS
) -> Iterator[Point]:
    """Yield the points by time, equal times in the order they came.

    At most `run_rows` points are held; sorted runs of that size go to a temporary folder and are
    merged from there.
    """
    key = attrgetter("ts_ns")
    rest = iter(points)
    run = sorted(islice(rest, run_rows), key=key)
    if len(run) < run_rows:
        yield from run
        return
    with tempfile.TemporaryDirectory(prefix="liqmon-replay-") as folder:
        files: list[Path] = []
        while run:
            files.append(_write(run, Path(folder) / f"{len(files)}.arrow", read_rows))
            run = sorted(islice(rest, run_rows), key=key)
        yield from heapq.merge(*map(_read, files), key=key)


def _write(run: list[Point], path: Path, read_rows: int) -> Path:
    columns = [
        pa.array([getattr(point, field.name) for point in run], field.type) for field in _SCHEMA
    ]
    with pa.ipc.new_file(str(path), _SCHEMA) as writer:
        writer.write_table(pa.Table.from_arrays(columns, schema=_SCHEMA), max_chunksize=read_rows)
    return path


def _read(path: Path) -> Iterator[Point]:
    with pa.ipc.open_file(str(path)) as reader:
        for number in range(reader.num_record_batches):
            yield from map(Point, *(c.to_pylist() for c in reader.get_batch(number).columns))
