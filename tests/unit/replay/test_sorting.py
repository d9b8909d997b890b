"""Sorting with bounded memory gives what sorting in memory gives."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.replay import Point
from streams.replay.formats.sorting import in_time_order


@settings(deadline=None)
@given(
    times=st.lists(st.integers(min_value=0, max_value=20), max_size=40),
    run_rows=st.integers(min_value=1, max_value=10),
)
def test_runs_merge_to_the_stable_order(times: list[int], run_rows: int) -> None:
    points = [Point(ts, "A", str(i)) for i, ts in enumerate(times)]

    merged = list(in_time_order(points, run_rows=run_rows, read_rows=2))

    assert merged == sorted(points, key=lambda point: point.ts_ns)
