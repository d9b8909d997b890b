"""The page and the API for people: `liqmon dashboard` (INTERFACE, "HTTP").

`source` reads Redis and the topics, `api` answers from it, `page` is what a browser loads. Nothing in
here writes anywhere but to the topic `requests`.
"""

from streams.dashboard.app import create_app
from streams.dashboard.serving import NotLoopback, run, serve

__all__ = ["NotLoopback", "create_app", "run", "serve"]
