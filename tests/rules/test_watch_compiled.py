"""One code, two ways to run it: compiled by numba, and as plain Python where numba is missing."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from monitor.engine import Engine
from monitor.watch import compiled, filling, kernels, placing, warm
from monitor.watch.compiled import HAS_NUMBA
from tests.support.markets import Market, arm, reference, wild_account
from tests.support.option_markets import OptionMarket, option_holder, option_reference

ROOT = Path(__file__).parents[2]


def edges_of(seed: int) -> str:
    """Return all boxes and ratios of a small world after some ticks, to the last bit."""
    rng, ref = Random(seed), reference()
    market, engine = Market(rng, ref), Engine(ref)
    engine.ticks(market.opening(), None)
    arm(engine, [wild_account(rng, f"a{number}", ref, engine.prices) for number in range(25)])
    return edges_after(engine, market, 0.2)


def option_edges_of(seed: int) -> str:
    """Return the same of a world of option holders."""
    rng, ref = Random(seed), option_reference()
    market, engine = OptionMarket(rng, ref), Engine(ref)
    engine.ticks(market.opening, None)
    arm(engine, [option_holder(rng, f"a{number}", ref, market.book) for number in range(25)])
    return edges_after(engine, market, 0.5)


def edges_after(engine: Engine, market: Market | OptionMarket, wildness: float) -> str:
    found = []
    for _ in range(12):
        engine.ticks([market.step(wildness) for _ in range(4)], None)
        state = engine.watch.screen.state
        found.append(state.edges.tobytes().hex())
        found.append(state.ratios.tobytes().hex())
    assert engine.taking.looked > 20
    return "".join(found)


@pytest.mark.skipif(not HAS_NUMBA, reason="there is nothing to compare with")
@pytest.mark.parametrize("edges", [edges_of, option_edges_of])
def test_h_2_compiled_boxes_are_those_of_plain_python(edges: Callable[[int], str]) -> None:
    code = f"from tests.rules.test_watch_compiled import *; print({edges.__name__}(1))"
    plain = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert plain.stdout.strip() == edges(1)


def test_compiled_code_of_a_warmed_image_is_read_where_nothing_may_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    kept = compiled.cache_folder()
    assert kept is not None
    assert kept.parent == tmp_path
    (kept / "made").write_text("when the image was built")
    monkeypatch.setattr(compiled, "_writable", lambda _: False)
    copy = compiled.cache_folder()
    assert copy is not None
    assert copy.parent != tmp_path
    assert (copy / "made").read_text() == "when the image was built"


@pytest.mark.skipif(not HAS_NUMBA, reason="there is nothing to compile")
def test_after_warming_nothing_is_compiled_any_more() -> None:
    warm()
    entries = [
        filling.fill,
        filling.depending,
        placing.put,
        placing.clear,
        placing.grow,
        kernels.fence,
        kernels.survey,
        kernels.run,
    ]
    before = [list(entry.signatures) for entry in entries]  # type: ignore[attr-defined]
    assert all(before)
    edges_of(3)
    assert [list(entry.signatures) for entry in entries] == before  # type: ignore[attr-defined]
