"""Fetches the broker's jars and prepares its start: `python -m streams.embedded.setup [--lock]`."""

import sys
import tempfile
from pathlib import Path

from streams.embedded.exceptions import EmbeddedError
from streams.embedded.jars import LOCK_FILE, fetch, write_lock
from streams.embedded.java import archive_path
from streams.embedded.kafka import Kafka

__all__ = ["main"]

_RECORD_SECONDS = 120


def main(arguments: list[str]) -> int:
    """Fetch the jars, after resolving and locking them anew when `--lock` is given."""
    if arguments not in ([], ["--lock"]):
        sys.stderr.write("usage: python -m streams.embedded.setup [--lock]\n")
        return 2
    try:
        if arguments:
            _report(f"{LOCK_FILE.name}: {write_lock()} jars")
        if fetch(_report) or not archive_path().exists():
            _record_archive()
    except EmbeddedError as error:
        _report(str(error))
        return 1
    return 0


def _record_archive() -> None:
    """Start the broker once and keep what Java loaded; it must be made on the very jars it serves.

    Without the archive everything works, only slower: so its absence is reported and no error.
    """
    path = archive_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    _report(f"preparing Kafka for a quick start: {path}")
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".record-") as scratch:
        recorded = Path(scratch) / path.name
        broker = Kafka(Path(scratch) / "data", record_to=recorded)
        broker.start(_RECORD_SECONDS)
        broker.stop(_RECORD_SECONDS)
        if recorded.exists():
            recorded.replace(path)
        else:
            _report("Java made no archive, so Kafka will start in about 5 s instead of 2 s")


def _report(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
