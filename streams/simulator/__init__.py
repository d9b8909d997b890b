"""Seeded accounts, and an exchange that carries out the monitor's commands."""

from streams.simulator.books import Account, BookError, Books
from streams.simulator.catalogue import Catalogue
from streams.simulator.dated import list_dated
from streams.simulator.exchange import Counters, Exchange
from streams.simulator.execution import Executor
from streams.simulator.generator import generate
from streams.simulator.publishing import make_producer, publish_accounts
from streams.simulator.rebuild import MissingTopic
from streams.simulator.reference import demo_reference, subset
from streams.simulator.service import simulate
from streams.simulator.settings import Faults, Progress, Shares, SimulateSettings

__all__ = [
    "Account",
    "BookError",
    "Books",
    "Catalogue",
    "Counters",
    "Exchange",
    "Executor",
    "Faults",
    "MissingTopic",
    "Progress",
    "Shares",
    "SimulateSettings",
    "demo_reference",
    "generate",
    "list_dated",
    "make_producer",
    "publish_accounts",
    "simulate",
    "subset",
]
