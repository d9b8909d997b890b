"""Files as streams of Arrow batches: CSV (plain, gzip, zip, zstd) and Parquet."""

import csv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from streams.replay.exceptions import RecordingError

BATCH_ROWS = 65_536
# One block is held, parsed and as bytes, at a time; a row must fit in it.
_CSV_BLOCK = 4 << 20
_HEAD = 65_536


@dataclass(frozen=True, slots=True)
class Source:
    """A file and how it is packed: `parquet`, `csv`, `gzip`, `zstd` or `zip`."""

    path: Path
    packing: str
    member: str | None = None

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the unpacked bytes for reading from the start."""
        if self.packing == "zip" and self.member is not None:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                yield cast(BinaryIO, stream)
            return
        compression = self.packing if self.packing in {"gzip", "zstd"} else None
        with pa.input_stream(str(self.path), compression=compression) as stream:
            yield cast(BinaryIO, stream)

    def first_row(self) -> list[str]:
        """Return the fields of the first line; names outside ASCII may come out garbled."""
        with self.open() as stream:
            head = stream.read(_HEAD)
        line = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].strip()
        if not line:
            raise RecordingError(f"{self.path.name}: the file is empty")
        return next(csv.reader([line.decode("utf-8", errors="replace")]))


def sniff(path: Path) -> Source:
    """Tell the packing by the first bytes, whatever the extension says."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}") from error
    if magic == b"PAR1":
        return Source(path, "parquet")
    if magic == b"PK\x03\x04":
        return Source(path, "zip", _csv_member(path))
    if magic[:2] == b"\x1f\x8b":
        return Source(path, "gzip")
    if magic == b"\x28\xb5\x2f\xfd":
        return Source(path, "zstd")
    return Source(path, "csv")


def _csv_member(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if name.lower().endswith(".csv")]
    if len(members) != 1:
        found = ", ".join(members) or "none"
        raise RecordingError(f"{path.name}: one .csv member is expected, found: {found}")
    return members[0]


def read_csv(
    source: Source,
    columns: Sequence[str],
    wanted: Sequence[str],
    *,
    header: bool,
    on_bad_line: Callable[[int, str], None],
) -> Iterator[pa.RecordBatch]:
    """Yield the wanted columns as bytes, exactly as written.

    Lines with a wrong number of fields go to `on_bad_line` (line number, from 1, and text) before
    the batch that follows them is yielded; an empty line comes as a row of empty fields.
    """

    def skip(row: Any) -> str:
        on_bad_line(row.number, f"{row.actual_columns} fields instead of {row.expected_columns}")
        return "skip"

    with source.open() as stream:
        reader = pa_csv.open_csv(
            stream,
            read_options=pa_csv.ReadOptions(
                column_names=list(columns),
                skip_rows=1 if header else 0,
                # In parallel a bad line has no number.
                use_threads=False,
                block_size=_CSV_BLOCK,
            ),
            parse_options=pa_csv.ParseOptions(invalid_row_handler=skip, ignore_empty_lines=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.binary()),
                include_columns=list(wanted),
                strings_can_be_null=False,
            ),
        )
        yield from reader


def read_parquet(source: Source, wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the wanted columns with the types of the file."""
    with pq.ParquetFile(source.path) as file:
        yield from file.iter_batches(batch_size=BATCH_ROWS, columns=list(wanted))


def parquet_columns(source: Source) -> list[str]:
    """Return the names of a Parquet file's columns."""
    return list(pq.read_schema(source.path).names)
