"""Long histories: conservation, RD-7, no oscillation, termination, monotony, snapshots, H-3.

`python -m tests.histories --steps 1000000` plays many more of the same.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.histories.history import History


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_es_5_rd_7_whatever_happens_every_episode_comes_to_rest(seed: int) -> None:
    History(seed).run(120)


@pytest.mark.parametrize("seed", range(4))
def test_es_5_rd_7_long_histories(seed: int) -> None:
    history = History(seed)
    history.run(500)
    assert history.counts["reduction"] > 0
    assert history.counts["deep looks"] > 0
