"""The one door to numba: inner loops compiled where it is installed, else run as they stand.

Everything compiled here is plain Python over NumPy arrays, so that both ways do the same arithmetic.
Compiled code is kept in `NUMBA_CACHE_DIR`, else beside the sources, else in the user's cache; below
it in a folder named by the digest of this package's sources, since numba itself looks only at the file
of the outermost function. A folder that may only be read (an image that was warmed when it was
built) is copied to a temporary one, because numba insists on writing.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar, cast

__all__ = ["HAS_NUMBA", "cache_folder", "compiled"]

HAS_NUMBA = find_spec("numba") is not None

F = TypeVar("F", bound=Callable[..., object])

_HERE = Path(__file__).parent


def _digest() -> str:
    found = hashlib.sha256()
    for source in sorted(_HERE.rglob("*.py")):
        found.update(source.read_bytes())
    return found.hexdigest()[:16]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def cache_folder() -> Path | None:
    """Return a folder for compiled code; None where nothing can be written at all."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    bases = [Path(named)] if named else [_HERE / "__pycache__", user]
    folders = [base / f"liqmon-{_digest()}" for base in bases]
    for folder in folders:
        if _writable(folder):
            return folder
    try:
        copy = Path(tempfile.mkdtemp(prefix="liqmon-compiled-"))
    except OSError:
        return None
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    for folder in folders:
        if folder.is_dir():
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            break
    return copy


if HAS_NUMBA:
    import numba

    _FOLDER = cache_folder()
    _config: Any = numba.config  # its settings are made when it is imported
    _njit: Any = numba.njit  # `_nrt` is not among the options of its types

    def compiled(function: F) -> F:
        """Compile with numba, without the interpreter; divisions by zero follow IEEE 754.

        References to arrays are not counted: whoever calls from Python holds them, nothing in here makes or
        returns one, and counting those of a `State` takes half a microsecond whenever one is handed on.
        """
        before = _config.CACHE_DIR
        # Read by numba while it decorates, and only then.
        _config.CACHE_DIR = str(_FOLDER or "")
        try:
            made = _njit(cache=_FOLDER is not None, error_model="numpy", _nrt=False)(function)
        finally:
            _config.CACHE_DIR = before
        return cast("F", made)

else:

    def compiled(function: F) -> F:
        """Leave the function as it is: numba is missing."""
        return function
