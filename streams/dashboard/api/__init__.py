"""One router a subject; all but health stand under /api/v1."""
