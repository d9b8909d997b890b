"""IN-1 over random histories: once, the same whoever looks when, and nothing out of nothing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.exact import ZERO
from tests.rules.interest_world import HOUR_MS, SECOND, H, Scene, rated
from tests.rules.reduction_world import d

HOURS = 4
CLOSE = Decimal("1e-40")


class Doing(NamedTuple):
    """One event: how long after the last, what, and how much."""

    after: int
    kind: str
    amount: int


Story = list[Doing]
_edges = (0, 1, SECOND, 59 * SECOND, 60 * SECOND, 61 * SECOND, 179 * SECOND, 1800 * SECOND, HOUR_MS)


def stories(*kinds: str) -> st.SearchStrategy[Story]:
    doing = st.builds(
        Doing,
        st.one_of(st.sampled_from(_edges), st.integers(0, HOUR_MS)),
        st.sampled_from(kinds),
        st.integers(1, 2_000_000),
    )
    return st.lists(doing, min_size=1, max_size=12)


MOVES = stories("deposit", "withdrawal", "buy", "sell")
SPOT_MOVES = stories("deposit", "withdrawal", "borrow", "repay")


def tell(
    scene: Scene,
    story: Story,
    before_each: Callable[[Scene, int], object] | None = None,
) -> Scene:
    """Let the story happen from half an hour before H on, up to HOURS hours after it at the most."""
    ts = H - 1800 * SECOND
    for doing in story:
        ts = min(ts + doing.after, H + HOURS * HOUR_MS)
        if before_each is not None:
            before_each(scene, ts)
        if doing.kind in ("buy", "sell"):
            scene.event(
                "fills",
                ts,
                instrument="BTC-USDT-SWAP",
                side=doing.kind,
                price="60000",
                quantity=str(1 + doing.amount % 50),
            )
            continue
        amount = str(doing.amount)
        if doing.kind == "repay":  # what is left of the debt after interest, at the most
            balance = scene.account.balances["USDT"]
            owed = balance.borrowed + balance.accrued_interest
            amount = str(min(d(amount), owed.to_integral_value()) if owed > 1 else ZERO)
            if d(amount) > owed:
                continue
        scene.transfer(ts, doing.kind, amount)
    return scene


def known_hours(scene: Scene) -> Scene:
    for number in range(-1, HOURS + 1):
        scene.hours(number, rates={"USDT": f"0.{number + 2}"}, BTC=str(60_000 + 500 * number))
    return scene


def cross(**more: Any) -> Scene:
    reference = rated(interest_free_quota="1000", yearly_rate="0.5")
    return Scene(reference).open({"USDT": "-1000", "BTC": "100"}, ts=H - HOUR_MS, **more)


def spot() -> Scene:
    return Scene().open(
        mode="spot",
        ts=H - HOUR_MS,
        balances=[{"currency": "USDT", "cash": "1000", "borrowed": "500000"}],
    )


@settings(max_examples=40, deadline=None)
@given(MOVES)
def test_in_1_the_same_events_give_the_same_bytes(story: Story) -> None:
    first, second = (tell(known_hours(cross()), story).pass_hour(HOURS) for _ in range(2))
    assert first.bytes() == second.bytes()
    assert len({n.interest_id for n in first.notices}) == len(first.notices)


@settings(max_examples=40, deadline=None)
@given(MOVES)
def test_in_1_it_does_not_matter_how_often_the_clock_looks_or_who_has_the_book(
    story: Story,
) -> None:
    def look(scene: Scene, ts: int) -> None:
        scene.reload()
        scene.look(ts)
        scene.reload()

    asleep = tell(known_hours(cross()), story).pass_hour(HOURS)
    awake = tell(known_hours(cross()), story, look).pass_hour(HOURS)
    assert awake.said() == asleep.said()
    assert awake.account.balances == asleep.account.balances


@settings(max_examples=40, deadline=None)
@given(st.one_of(MOVES, stories("deposit", "withdrawal", "borrow")), st.booleans())
def test_in_1_it_does_not_matter_when_the_prices_of_an_hour_come(story: Story, look: bool) -> None:
    opened = spot if any(doing.kind == "borrow" for doing in story) else cross

    def clock(scene: Scene, ts: int) -> None:
        if look:
            scene.look(ts)
            scene.reload()

    early = tell(known_hours(opened()), story, clock).pass_hour(HOURS)
    late = tell(opened(), story, clock)
    assert late.total("accrued") == 0
    known_hours(late).pass_hour(HOURS)
    assert [(n.interest_id, n.ts, n.estimated) for n in late.notices] == [
        (n.interest_id, n.ts, n.estimated) for n in early.notices
    ]
    for mine, its in zip(late.notices, early.notices, strict=True):
        assert abs(mine.amount - its.amount) < CLOSE
        assert abs(mine.liability - its.liability) < CLOSE


@settings(max_examples=50, deadline=None)
@given(SPOT_MOVES, st.booleans())
def test_in_1_conservation_cash_and_debt_change_by_events_and_notices_alone(
    story: Story, look: bool
) -> None:
    moved = dict.fromkeys(("deposit", "withdrawal", "borrow", "repay"), ZERO)
    scene = known_hours(spot())
    original = scene.transfer

    def counted(ts: int, kind: str, amount: str, coin: str = "USDT", **more: Any) -> None:
        moved[kind] += d(amount)
        original(ts, kind, amount, coin, **more)

    scene.transfer = counted  # type: ignore[method-assign]
    tell(scene, story, (lambda s, ts: s.look(ts)) if look else None)
    for _ in range(2):
        balance = scene.account.balances["USDT"]
        paid_in = moved["deposit"] - moved["withdrawal"] + moved["borrow"] - moved["repay"]
        assert abs(balance.cash - (1000 + paid_in - scene.total("deducted"))) < CLOSE
        owed = 500_000 + moved["borrow"] - moved["repay"]
        owed += scene.total("accrued") - scene.total("deducted")
        assert abs(balance.borrowed + balance.accrued_interest - owed) < CLOSE
        scene.pass_hour(HOURS)


@settings(max_examples=40, deadline=None)
@given(stories("deposit", "withdrawal", "borrow"))
def test_in_1_accrued_less_deducted_is_what_is_outstanding(story: Story) -> None:
    def check(scene: Scene, ts: int) -> None:
        outstanding = scene.total("accrued") - scene.total("deducted")
        assert abs(scene.accrued() - outstanding) < CLOSE
        due = scene.account.interest.due if scene.account.interest is not None else []
        assert sum((one.amount for one in due), ZERO) == scene.accrued()

    scene = tell(known_hours(spot()), story, check)
    check(scene, 0)
    check(scene.pass_hour(HOURS), 0)
    assert scene.accrued() == 0
    assert scene.total("accrued") > 0


@settings(max_examples=40, deadline=None)
@given(MOVES)
def test_in_1_each_amount_follows_from_its_own_notice(story: Story) -> None:
    for n in tell(known_hours(cross()), story).pass_hour(HOURS).notices:
        assert n.liability > n.free >= 0
        assert n.amount == (n.liability - n.free) * n.yearly_rate / 365 / 24
        assert n.yearly_rate == d(f"0.{(n.hour - H) // HOUR_MS + 2}")
