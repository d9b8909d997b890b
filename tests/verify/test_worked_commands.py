"""The check over hand-made histories: clean as worked out, and found out when anything is changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streams.verify import check
from tests.verify.scene import Scene
from tests.verify.worked import REFERENCE, spot_episode, swap_episode
from tests.verify.worked_coins import (
    borrowed_past_the_cap,
    converted,
    order_past_the_cash,
    order_past_the_cash_by_funding,
)
from tests.verify.worked_isolated import isolated_contract, margin_position
from tests.verify.worked_steps import capped, small_debt_step, sold_call

EPISODES: list[Callable[[], Scene]] = [
    spot_episode,
    swap_episode,
    isolated_contract,
    margin_position,
    order_past_the_cash,
    order_past_the_cash_by_funding,
    borrowed_past_the_cap,
    converted,
    sold_call,
    capped,
    small_debt_step,
]


@pytest.mark.parametrize("episode", EPISODES)
def test_worked_episode_is_clean(episode: Callable[[], Scene]) -> None:
    report = check(episode().history())

    assert report.clean, "\n".join(report.lines())
    assert not report.crossings_excused
    assert not report.unjudged


def test_report_counts_the_worked_episode_from_the_topics() -> None:
    report = check(spot_episode().history())

    assert report.commands == {"episode": 2, "warning": 4, "order_cancel": 1, "reduction": 1}
    assert report.reductions == {"tier": 1}
    assert (report.episodes_opened, report.episodes_closed) == (1, 1)
    assert report.exit_status == 0


def test_oc_3_a_cap_that_others_may_have_used_up_is_let_pass_and_counted() -> None:
    report = check(borrowed_past_the_cap("5").history())  # of 5, this account borrows 3

    assert report.clean, "\n".join(report.lines())
    assert sum(report.unjudged.values()) == 1


def test_pm_2_a_portfolio_account_is_folded_and_its_commands_are_counted_as_not_judged() -> None:
    """Its margin is not known to the check: it says so, and finds neither fault nor crossing."""
    scene = Scene(REFERENCE)
    for symbol, price in (("BTC-USD", "60000"), ("USDT-USD", "1")):
        scene.tick(symbol, price)
    scene.tick("BTC-USDT-SWAP", "60000", "mark")
    position = {"instrument": "BTC-USDT-SWAP", "quantity": "100", "entry_price": "60000"}
    scene.event(
        "accounts",
        "P1",
        mode="portfolio",
        auto_borrow=True,
        position_mode="net",
        spot_hedge={"BTC": "1"},
        snapshot={"balances": [{"currency": "USDT", "cash": "100"}], "positions": [position]},
    )
    scene.heartbeat()
    scene.command(
        "warning",
        "P1",
        1,
        ("BTC-USD/index", "USDT-USD/index", "BTC-USDT-SWAP/mark"),
        mode="portfolio",
        band="liquidation",
        ratio="0.01",
        adjusted_equity="100",
        maintenance_margin="7320",
        liquidation_fee="0",
        state="entered",
        level="1.2",
    )
    scene.heartbeat()
    report = check(scene.history())

    assert report.clean, "\n".join(report.lines())
    assert dict(report.unjudged) == {
        "the account was in portfolio mode, whose margin the check does not know": 1
    }
