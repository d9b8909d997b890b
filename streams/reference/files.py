"""Reference files, with every error at its place."""

from __future__ import annotations

from pathlib import Path

from monitor.reference import BadReference, Reference, load_reference
from streams.documents import BadDocument, Document, read_document

__all__ = ["load_reference_file"]


def load_reference_file(path: Path) -> tuple[Document, Reference]:
    """Read and check a reference file (YAML or JSON); raises `BadDocument` with every error."""
    document = read_document(path)
    try:
        return document, load_reference(document.value)
    except BadReference as error:
        raise BadDocument(document.located(error.errors)) from None
