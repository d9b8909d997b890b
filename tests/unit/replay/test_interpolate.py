"""Interpolated paths: small steps, ends kept, order kept, memory bounded."""

from decimal import Decimal
from itertools import groupby, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.replay import Point
from streams.replay.interpolate import Interpolator, path

STEP = Decimal("0.001")


def prices_of(whole: int, decimals: int) -> str:
    return format(Decimal(whole).scaleb(-decimals), "f")


# From 0.00000001 to 99,999,999, written with 0 to 8 decimals.
prices = st.builds(
    prices_of,
    st.integers(min_value=1, max_value=99_999_999),
    st.integers(min_value=0, max_value=8),
)


@st.composite
def nearby(draw: st.DrawFn) -> tuple[str, str]:
    """Two prices at most a factor of three apart, as bars have them."""
    start = draw(prices)
    factor = draw(st.decimals(min_value="0.34", max_value="3", places=4))
    end = Decimal(start) * factor
    return start, format(end.quantize(Decimal("1e-12")), "f")


def steps_are_small(path_: list[str]) -> bool:
    values = [Decimal(price) for price in path_]
    return all(abs(b - a) <= STEP * a for a, b in pairwise(values))


@settings(deadline=None)
@given(nearby())
def test_no_step_is_more_than_a_thousandth(ends: tuple[str, str]) -> None:
    start, end = ends
    assert steps_are_small([start, *path(start, end), end])


@settings(deadline=None)
@given(nearby())
def test_a_path_leads_one_way_and_stays_between_its_ends(ends: tuple[str, str]) -> None:
    start, end = ends
    values = [Decimal(price) for price in (start, *path(start, end), end)]
    assert values in (sorted(values), sorted(values, reverse=True))


@settings(deadline=None)
@given(nearby())
def test_prices_between_have_few_digits(ends: tuple[str, str]) -> None:
    for price in path(*ends):
        assert len(Decimal(price).normalize().as_tuple().digits) <= 10
        assert "e" not in price.lower()


def test_the_decimals_of_the_file_are_kept_where_they_are_fine_enough() -> None:
    assert path("20000.5", "20050.0") == ["20017.0", "20033.5"]
    assert path("20000", "20050", decimals=1) == ["20016.6", "20033.3"]
    assert path("20000", "20050") == ["20016", "20033"]
    # Steps of 0.0001 would be twice as large as allowed.
    assert path("0.0500", "0.0501") == ["0.050050"]


def test_equal_and_near_prices_need_nothing_between() -> None:
    assert path("100", "100.1") == []
    assert path("100", "100") == []


bars = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=10**10),
        st.sampled_from(["A", "B", "C"]),
        st.integers(min_value=9_000, max_value=12_000).map(lambda units: f"{units / 100:.2f}"),
    ),
    min_size=1,
    max_size=30,
)


@settings(deadline=None)
@given(bars=bars, size=st.integers(min_value=1, max_value=7), held=st.sampled_from([3, 200_000]))
def test_recorded_points_stay_and_all_steps_are_small_in_time_order(
    bars: list[tuple[int, str, str]], size: int, held: int
) -> None:
    recorded = [Point(*bar) for bar in sorted(bars, key=lambda bar: bar[0])]
    interpolator = Interpolator(held)
    chunks = [recorded[i : i + size] for i in range(0, len(recorded), size)]

    played = [point for chunk in interpolator.chunks(chunks) for point in chunk]

    assert len(played) == len(recorded) + interpolator.added
    times = [point.ts_ns for point in played]
    assert times == sorted(times)
    by_series = sorted(played, key=lambda point: point.series)
    for series, group in groupby(by_series, key=lambda point: point.series):
        path_ = list(group)
        assert steps_are_small([point.price for point in path_])
        rest = iter(path_)
        # The recorded points of the series are still there, in their order.
        assert all(point in rest for point in recorded if point.series == series)


def test_times_between_are_spread_evenly_and_rise() -> None:
    second = 1_000_000_000
    bars = [Point(0, "A", "100.00"), Point(10 * second, "A", "101.00")]

    played = [point for chunk in Interpolator().chunks([bars]) for point in chunk]

    assert [point.ts_ns for point in played] == [second * i for i in range(11)]
    assert [point.price for point in played[:3]] == ["100.00", "100.100", "100.200"]


def test_a_silent_series_does_not_hold_back_more_than_the_bound() -> None:
    held = 50
    interpolator = Interpolator(held)
    silent = [Point(0, "SILENT", "1.000"), *(Point(i, "A", "5.000") for i in range(1, 200))]
    waiting: list[Point] = []
    for chunk in interpolator.chunks([silent, [Point(1_000, "SILENT", "1.100")]]):
        waiting.extend(chunk)

    # 1.000 → 1.100 goes in steps, none of them before what had already left.
    steps = [point for point in waiting if point.series == "SILENT"]
    assert steps_are_small([point.price for point in steps])
    assert [point.ts_ns for point in waiting] == sorted(point.ts_ns for point in waiting)
    assert steps[1].ts_ns >= 199 - held
