"""Recordings written by the tests, in every packing that is read."""

import gzip
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

PACKINGS = ("plain", "gz", "zip", "zst")
SECOND = 1_000_000_000
# 2024-08-05 00:00 UTC
DAY_MS = 1_722_816_000_000


def packed(folder: Path, name: str, text: str | bytes, packing: str = "plain") -> Path:
    """Write CSV text under `name` (which ends in .csv) and return the file as it is packed."""
    data = text.encode() if isinstance(text, str) else text
    if packing == "gz":
        path = folder / f"{name}.gz"
        path.write_bytes(gzip.compress(data))
    elif packing == "zst":
        path = folder / f"{name}.zst"
        path.write_bytes(zstandard.compress(data))
    elif packing == "zip":
        path = folder / f"{name.removesuffix('.csv')}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
    else:
        path = folder / name
        path.write_bytes(data)
    return path


def parquet(folder: Path, name: str, columns: dict[str, pa.Array]) -> Path:
    """Write a Parquet file."""
    path = folder / name
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


def own_csv(rows: list[tuple[int, str, str]]) -> str:
    """The project's own columns as CSV."""
    return "ts_ns,symbol,price\n" + "".join(f"{ts},{name},{price}\n" for ts, name, price in rows)
