"""OV-6: the largest size that would pass, on accounts of any shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from monitor.account import Account
from monitor.questions import BadQuestion
from monitor.schema.checks import CheckKind
from tests.rules.reduction_world import account, d
from tests.support.questions import Desk, plain_desk, seeded_scene


def passing(
    desk: Desk, held: Account, kind: CheckKind, sizes: Iterable[int], **question: Any
) -> Any:
    """Ask every size; return (those accepted, the largest that each of the answers names)."""
    field = "quantity" if kind == "order" else "amount"
    found = {size: desk.ask(held, kind, **{**question, field: size}) for size in sizes}
    largest = {answer.largest for answer in found.values()}
    return [size for size, answer in found.items() if answer.accepted], largest


def tiers(*rates: tuple[str, str]) -> list[dict[str, str]]:
    return [{"up_to": up_to, "initial": rate, "maintenance": "0.004"} for up_to, rate in rates]


SWAP = {"instrument": "BTC-USDT-SWAP", "side": "buy", "price": "60000"}  # 600 USDT a contract
LOTS_OF_ONE = {"BTC-USDT": {"lot": "1"}, "ETH-USDT": {"lot": "1"}}


def test_ov_6_a_position_tier_that_asks_less() -> None:
    """Past 9 contracts half is asked: 8 × 600 < 5,000, 9 are too many, 16 × 300 < 5,000."""
    desk = plain_desk(
        instruments={"BTC-USDT-SWAP": {"position_tiers": tiers(("9", "1"), ("1000", "0.5"))}}
    )
    held = account({"USDT": "5000"})
    held.leverage = {"BTC-USDT-SWAP": d(100)}
    sizes = range(1, 30)
    assert passing(desk, held, "order", sizes, **SWAP) == ([*range(1, 9), *range(10, 17)], {16})


def test_ov_6_a_position_tier_that_asks_less_beyond_the_opposite_position() -> None:
    """5 short ask 3,000 of 4,400; 5 close, 3 open at 600 … until 5 + 6 contracts ask half."""
    desk = plain_desk(
        instruments={"BTC-USDT-SWAP": {"position_tiers": tiers(("10", "1"), ("1000", "0.5"))}}
    )
    held = account({"USDT": "4400"}, [("BTC-USDT-SWAP", "-5", "60000")])
    held.leverage = {"BTC-USDT-SWAP": d(100)}
    sizes = range(1, 30)
    assert passing(desk, held, "order", sizes, **SWAP) == ([*range(1, 8), *range(11, 15)], {14})


def test_ov_6_a_borrow_tier_that_asks_less() -> None:
    """Up to 12 ETH are lent for their whole value, more for a quarter; 10,000 are there."""
    desk = plain_desk(
        rate="1",
        instruments=LOTS_OF_ONE,
        currencies={"ETH": {"borrow_tiers": tiers(("12", "1"), ("1000", "0.25"))}},
    )
    held = account({"USDC": "10102"}, mode="spot")
    held.borrow_leverage = {"*": d(100)}
    sale = {"instrument": "ETH-USDT", "side": "sell", "price": "3000"}
    expected = ([1, 2, 3, 13], {13})  # 13 × 750 < 10,000
    assert passing(desk, held, "order", range(1, 25), **sale) == expected
    borrowed = passing(desk, held, "borrow", range(1, 25), currency="ETH")
    assert borrowed[0] == expected[0]
    assert borrowed[1] == {d("13.33464")}  # 0.99 × 10,102 / 750


def test_ov_6_a_lower_slice_that_counts_less() -> None:
    """Short of margin, the account may do what takes nothing. SOL counts 0.8; of 5,800 USDT the
    first 600 and the last 3,000 count 1, those between 0.5: given from the top, 100 take 20, then 30
    less, then 20 again.
    """
    slices = [
        {"up_to": up_to, "rate": rate}
        for up_to, rate in (("600", "1"), ("2800", "0.5"), ("1000000", "1"))
    ]
    desk = plain_desk(
        currencies={"USDT": {"discount_tiers": slices}}, instruments={"SOL-USDT": {"lot": "1"}}
    )
    held = account({"USDT": "5800"}, mode="spot", borrowed={"BTC": "1"})
    buy = {"instrument": "SOL-USDT", "side": "buy", "price": "100", "auto_borrow": False}
    expected = ([*range(50, 56)], {55})  # 600 − 30 × 20 = 0, −60 + 20 × 3 = 0
    assert passing(desk, held, "order", range(1, 60), **buy) == expected


def test_ov_6_a_withdrawal_that_leaves_a_larger_and_cheaper_debt() -> None:
    """Cash 20 ETH, a loss of 20 in it: up to 12 are owed in full, more for a quarter.

    The position itself asks 0.00006 USD.
    """
    inverse = {
        "kind": "swap",
        "family": "ETH-USD",
        "underlying": "ETH",
        "quote": "USD",
        "settle": "ETH",
        "inverse": True,
        "contract_value": "1",
        "lot": "1",
        "tick": "0.01",
        "position_tiers": tiers(("100000", "0")),
    }
    desk = plain_desk(
        rate="1",
        instruments={"ETH-USD-SWAP": inverse},
        currencies={
            "ETH": {"borrow_tiers": tiers(("12", "1"), ("1000", "0.25"))},
            "USDC": {"discount_tiers": [], "minimum_rate": "1"},
        },
        prices={"ETH-USD-SWAP/mark": "3000"},
    )
    held = account({"ETH": "20", "USDC": "0"}, [("ETH-USD-SWAP", "-60000", "1500")])
    held.borrow_leverage = {"*": d(100)}
    held.leverage = {"ETH-USD-SWAP": d(10**9)}
    held.balance("USDC").cash = d("60000.00006")
    # n are owed: 60,000 − 3,000 n against 3,000 n up to 12, beyond against 750 n.
    passes, largest = passing(desk, held, "withdrawal", range(1, 25), currency="ETH")
    assert (passes, largest) == ([*range(1, 11), *range(13, 17)], {16})


SEEDS = st.integers(0, 10**9)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_ov_6_the_largest_passes_and_nothing_larger_does(seed: int) -> None:
    """On accounts of any shape, tiers that fall and counts that rise among them."""
    scene = seeded_scene(seed, ("order",))
    try:
        found = scene.at(scene.lot * 30)
    except BadQuestion:
        reject()
    assume(not found.unpriced)
    if found.largest is None:
        assert scene.question.get("reduce_only") or _reduces(scene.held, scene.question)
        assert scene.at(scene.lot * 10**15).accepted
        return
    if found.largest:
        assert scene.at(found.largest).accepted
    rng = Random(seed)
    steps = [1, 2, 5, 30, 10_000, 10**9, *(rng.randint(1, 200) for _ in range(3))]
    below = found.largest // scene.lot
    for step in steps:
        try:
            assert not scene.at((below + step) * scene.lot).accepted
        except BadQuestion:
            assert not found.largest, "less than is filled already"


def _reduces(held: Account, question: Mapping[str, Any]) -> bool:
    """Whether the question closes by its side, or changes an order that does or is reduce-only."""
    known = held.orders.get(question.get("order_id", ""))
    side = known.position_side if known is not None else question["position_side"]
    closes = side != "net" and (question["side"] == "buy") == (side == "short")
    return closes or (known is not None and known.reduce_only)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_ov_6_the_verdict_is_that_of_the_figures_in_the_answer(seed: int) -> None:
    """What was accepted and opens has equity for its margin, or is no shorter than before."""
    scene = seeded_scene(seed, ("order",))
    try:
        found = scene.at(scene.lot * 30)
    except BadQuestion:
        reject()
    assume(not found.unpriced and found.figures.get("opening") != 0)
    figures = {name: value for name, value in found.figures.items() if value is not None}
    after = figures["adjusted_equity"] - figures["initial_margin"]
    before = figures["adjusted_equity_before"] - figures["initial_margin_before"]
    rules = [refused.rule for refused in found.refusals]
    assert ("OV-1" in rules) == (after < 0 and after < before)
    for name in found.borrows:
        for limit in ("main_account", "platform"):
            most = found.figures[f"{name}.{limit}_limit"]
            used = found.figures[f"{name}.{limit}_used"]
            if found.accepted and most is not None:
                assert used is not None
                assert used <= most


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_ov_6_the_largest_borrowing_or_withdrawal_passes_and_nothing_larger_does(seed: int) -> None:
    scene = seeded_scene(seed, ("borrow", "withdrawal"))
    found = scene.at(scene.lot)
    most = found.largest
    assert most is not None
    if most:
        assert scene.at(most).accepted
    rng = Random(seed)
    for step in (1, 2, 1000, 10**8, 10**11, rng.randint(1, 10**9), rng.randint(1, 10**12)):
        assert not scene.at(most + step * scene.lot).accepted
