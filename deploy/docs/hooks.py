"""Pages link to files of the repository, which are not part of the site: there they are names only."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

__all__ = ["on_page_markdown"]

_LINK = re.compile(r"\[(?P<text>[^\]\n]+)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Leave links within the site; of links to what lies outside or is a folder keep the text.

    A link to something that does not exist stays as it is, and a strict build fails on it.
    """
    docs = Path(config["docs_dir"])

    def shown(found: re.Match[str]) -> str:
        target = found["target"]
        if "://" in target or target.startswith("mailto:"):
            return found[0]
        place = docs / posixpath.dirname(page.file.src_uri) / target
        is_outside = not place.resolve().is_relative_to(docs.resolve())
        if place.exists() and (is_outside or place.is_dir()):
            return found["text"]
        return found[0]

    return _LINK.sub(shown, markdown)
