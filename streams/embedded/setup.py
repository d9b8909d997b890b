"""Fetches the broker's jars: `python -m streams.embedded.setup [--lock]`."""

import sys

from streams.embedded.exceptions import JarsError
from streams.embedded.jars import LOCK_FILE, fetch, write_lock

__all__ = ["main"]


def _report(line: str) -> None:
    sys.stderr.write(line + "\n")


def main(arguments: list[str]) -> int:
    """Fetch the jars, after resolving and locking them anew when `--lock` is given."""
    if arguments not in ([], ["--lock"]):
        sys.stderr.write("usage: python -m streams.embedded.setup [--lock]\n")
        return 2
    try:
        if arguments:
            sys.stderr.write(f"{LOCK_FILE.name}: {write_lock()} jars\n")
        fetch(_report)
    except JarsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
