"""The jars of the broker: pinned by `jgo.lock.toml`, fetched once, kept in the user's cache."""

import hashlib
import os
import sys
import tempfile
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from streams.embedded.exceptions import JarsError

if TYPE_CHECKING:
    from jgo.maven import MavenContext

__all__ = ["LOCK_FILE", "Jar", "cache_dir", "classpath", "fetch", "locked_jars", "write_lock"]

LOCK_FILE = Path(__file__).with_name("jgo.lock.toml")

_COORDINATES = ("org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36")
_PARALLEL_DOWNLOADS = 8
_ATTEMPTS = 3
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Jar:
    """One locked jar, by its Maven coordinates."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The name in the cache; the hash in it makes a changed lock a different file."""
        return f"{self.artifact}-{self.version}-{self.sha256[:12]}.jar"


def cache_dir() -> Path:
    """Return where the jars are kept: a folder of the user's cache, shared by all checkouts."""
    if configured := os.environ.get("XDG_CACHE_HOME"):
        return Path(configured) / "liqmon"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "liqmon"
    return Path.home() / ".cache" / "liqmon"


@cache
def locked_jars() -> tuple[Jar, ...]:
    """Return the jars that the lock file pins."""
    lock = tomllib.loads(LOCK_FILE.read_text())
    return tuple(
        Jar(entry["groupId"], entry["artifactId"], entry["version"], entry["sha256"])
        for entry in lock["dependencies"]
    )


def classpath() -> str:
    """Return the broker's Java class path; raise JarsError when a jar is not in the cache."""
    paths = [_path(jar) for jar in locked_jars()]
    missing = [path.name for path in paths if not path.exists()]
    if missing:
        msg = (
            f"{len(missing)} of {len(paths)} jars of Kafka are not in {paths[0].parent} "
            f"({missing[0]}, ...); `python -m streams.embedded.setup` (or `make setup`) fetches them"
        )
        raise JarsError(msg)
    return os.pathsep.join(map(str, paths))


def fetch(report: Callable[[str], None] = lambda _: None) -> int:
    """Fetch what the lock names and the cache lacks; return how many jars that were.

    A jar appears in the cache only after its SHA-256 was found right, in one step, so that two
    fetches at once, or one cut short, do no harm. Raises JarsError.
    """
    missing = [jar for jar in locked_jars() if not _path(jar).exists()]
    if not missing:
        return 0
    target = _path(missing[0]).parent
    target.mkdir(parents=True, exist_ok=True)
    report(f"fetching {len(missing)} jars of Kafka into {target}")
    with (
        tempfile.TemporaryDirectory(dir=target, prefix=".fetch-") as scratch,
        ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool,
    ):
        list(pool.map(lambda jar: _fetch_one(jar, Path(scratch)), missing))
    return len(missing)


def write_lock() -> int:
    """Resolve the coordinates anew and write the lock file; return how many jars it names."""
    import tomli_w
    from jgo.parse import Coordinate

    with tempfile.TemporaryDirectory(prefix="liqmon-lock-") as scratch:
        context = _context(Path(scratch))
        wanted = [
            context.create_dependency(replace(Coordinate.parse(coordinate), scope="compile"))
            for coordinate in _COORDINATES
        ]
        roots, transitive = context.resolver.resolve(wanted)
        runtime = [item for item in transitive if item.scope in {"compile", "runtime"}]
        entries = sorted(
            (item.groupId, item.artifactId, item.version, _sha256(item.artifact.resolve()))
            for item in [*roots, *runtime]
        )
    keys = ("groupId", "artifactId", "version", "sha256")
    lock = {"dependencies": [dict(zip(keys, entry, strict=True)) for entry in entries]}
    LOCK_FILE.write_text(
        "# The broker's jars; written by `python -m streams.embedded.setup --lock`.\n"
        + tomli_w.dumps(lock)
    )
    locked_jars.cache_clear()
    return len(entries)


def _path(jar: Jar) -> Path:
    return cache_dir() / "jars" / jar.file_name


def _context(repository: Path) -> "MavenContext":
    """Return jgo's context; a mirror set in the user's own jgo settings is asked first."""
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    remotes = {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}
    return MavenContext(repo_cache=repository, remote_repos=remotes, timeout=_TIMEOUT_SECONDS)


def _fetch_one(jar: Jar, scratch: Path) -> None:
    import requests

    for attempt in range(1, _ATTEMPTS + 1):
        context = _context(scratch / f"{jar.file_name}.{attempt}")
        artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
        try:
            found = artifact.resolve()
        except (RuntimeError, OSError, requests.RequestException) as error:
            if attempt == _ATTEMPTS:
                msg = f"{jar.group}:{jar.artifact}:{jar.version} cannot be fetched: {error}"
                raise JarsError(msg) from error
            continue
        if (actual := _sha256(found)) != jar.sha256:
            msg = (
                f"{jar.group}:{jar.artifact}:{jar.version} has SHA-256 {actual}, "
                f"but {LOCK_FILE.name} pins {jar.sha256}"
            )
            raise JarsError(msg)
        found.replace(_path(jar))
        return


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
