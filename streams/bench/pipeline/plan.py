"""The parts of `liqmon bench pipeline`, and what its figures say of one another."""

from __future__ import annotations

from streams.bench.part import Part
from streams.bench.ratios import Ratios
from streams.bench.result import PartResult, Ratio, Sizes

__all__ = ["parts", "ratios"]

_HERE = "streams.bench.pipeline"
_FEW = 100_000
"""Accounts up to which a start is asked to take 8 s; beyond, 60."""
_EVENTS = (
    ("events-faust-intake", "account events through Faust", "measure_faust_intake"),
    ("events-aiokafka-intake", "account events through aiokafka", "measure_aiokafka_intake"),
    ("events-faust", "events, bare Faust agent", "measure_faust"),
    ("events-faust-table", "events, Faust agent with a table", "measure_faust_table"),
    ("events-quixstreams", "events, quixstreams", "measure_quix"),
    ("events-quixstreams-state", "events, quixstreams with state", "measure_quix_state"),
    ("events-aiokafka", "events, bare aiokafka", "measure_plain"),
    ("events-aiokafka-produce", "events, aiokafka and a record each", "measure_plain_produced"),
)


def parts(sizes: Sizes) -> list[Part]:
    """Return the parts, each with a broker of its own."""
    return [
        Part("ticks", "ticks into one worker", f"{_HERE}.ticks:measure", sizes),
        Part("latency", "from tick to command", f"{_HERE}.latency:measure", sizes),
        *(
            Part(name, title, f"{_HERE}.events:{function}", sizes, "events")
            for name, title, function in _EVENTS
        ),
        Part("start", "start of a worker", f"{_HERE}.start:measure", sizes),
        Part("join", "a worker joins and leaves", f"{_HERE}.join:measure", sizes),
    ]


def ratios(found: list[PartResult], sizes: Sizes) -> list[Ratio]:
    """Return what was asked of the pipeline, as far as it was measured."""
    made = Ratios(found)
    made.at_least("ticks/s sustained into one worker", "ticks", "sustained", 60_000)
    made.against("backlog: worker / bare loop", ("ticks", "backlog"), ("ticks", "loop"), least=0.35)
    for key, most in (("p50", 1.5), ("p99", 2.0)):
        made.against(
            f"tick to command / relay, {key}",
            ("latency", f"worker.{key}"),
            ("latency", f"relay.{key}"),
            most=most,
        )
    events = (
        ("events: Faust intake / bare Faust agent", "faust-intake", "faust", 0.7),
        ("events: Faust intake / Faust table agent", "faust-intake", "faust-table", 2.0),
        ("events: aiokafka intake / Faust intake", "aiokafka-intake", "faust-intake", 3.0),
        (
            "events: aiokafka intake / quixstreams with state",
            "aiokafka-intake",
            "quixstreams-state",
            1.0,
        ),
    )
    for name, above, below, least in events:
        top, bottom = (f"events-{above}", "events"), (f"events-{below}", "events")
        made.against(name, top, bottom, least=least)
    ready = 8.0 if sizes.accounts <= _FEW else 60.0
    made.at_most("process start to ready, s", "start", "ready", ready)
    for key in ("join", "leave"):
        name = f"longest wait when a worker {key}s, partitions that stay, s"
        made.at_most(name, "join", f"{key}.stays", 2.0)
    return made.found
