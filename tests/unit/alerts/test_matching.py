"""Which commands a rule is about."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.schema import Command
from streams.alerts.matching import Facts, asks_for_facts, notional, verdict
from tests.support.alerts import cancel, episode, reduced, rule, warned

CONVERSION: dict[str, Any] = {"kind": "auto_exchange", "phase": "auto_exchange"}
ISOLATED = "BTC-USDT-SWAP/isolated/long"

TABLE: list[tuple[dict[str, Any], Command, bool]] = [
    # kinds
    ({}, warned(), True),
    ({}, episode("closed"), True),
    ({"kinds": ["episode"]}, warned(), False),
    ({"kinds": ["reduction"]}, reduced(), True),
    ({"kinds": ["reduction"]}, reduced(**CONVERSION), False),
    ({"kinds": ["auto_exchange"]}, reduced(**CONVERSION), True),
    ({"kinds": ["order_cancel"]}, cancel(), True),
    # states limit the kinds of which they name one
    ({"states": ["entered"]}, warned(), True),
    ({"states": ["entered"]}, warned(state="worsened"), False),
    ({"states": ["entered"]}, episode("stuck"), True),
    ({"states": ["entered", "bankrupt"]}, episode("stuck"), False),
    ({"states": ["bankrupt"]}, episode("bankrupt"), True),
    ({"states": ["takeover"]}, reduced(), False),
    ({"states": ["takeover"]}, reduced(phase="takeover"), True),
    ({"states": ["ES-4"]}, cancel(), False),
    ({"states": ["ES-4"]}, cancel(reason="ES-4"), True),
    # bands; good news is normal by nature
    ({"bands": ["liquidation"]}, warned(), False),
    ({"bands": ["liquidation"]}, warned(band="liquidation"), True),
    ({"bands": ["liquidation"]}, warned(state="cleared"), True),
    # accounts
    ({"accounts": {"ids": ["acc-1", "acc-2"]}}, warned(), True),
    ({"accounts": {"ids": ["acc-2"]}}, warned(), False),
    ({"accounts": {"globs": ["acc-*"]}}, warned(), True),
    ({"accounts": {"globs": ["ACC-*", "acc-[2-9]"]}}, warned(), False),
    ({"accounts": {"ids": ["x"], "globs": ["acc-?"]}}, warned(), True),
    ({"accounts": {"main_accounts": ["fund-1"]}}, warned(), True),
    ({"accounts": {"main_accounts": ["fund-2"]}}, warned(), False),
    ({"accounts": {"main_accounts": ["acc-1"]}}, warned(), True),
    ({"accounts": {"main_accounts": ["fund-2"], "ids": ["acc-1"]}}, warned(), True),
    # size: a reduction by what it trades (30,000), the rest by the position value (50,000)
    ({"minimum_notional_usd": "30000"}, reduced(), True),
    ({"minimum_notional_usd": "30000.01"}, reduced(), False),
    ({"minimum_notional_usd": "50000"}, warned(), True),
    ({"minimum_notional_usd": "50000.01"}, warned(), False),
    ({"minimum_notional_usd": "50000.01"}, warned(state="cleared"), True),
    ({"minimum_notional_usd": "50000.01"}, warned(position=ISOLATED), True),
    ({"enabled": False}, warned(), False),
]


@pytest.mark.parametrize(("changes", "command", "about"), TABLE)
def test_what_a_rule_is_about(changes: dict[str, Any], command: Command, about: bool) -> None:
    facts = Facts(main_account_id="fund-1", position_value=Decimal(50_000))
    assert verdict(rule(**changes), command, facts) == ("about" if about else "not_about")


def test_an_unknown_size_is_told_and_an_unknown_main_account_is_not() -> None:
    unknown = Facts()
    assert verdict(rule(minimum_notional_usd="1000000"), warned(), unknown) == "about"
    mine = rule(accounts={"main_accounts": ["fund-1"]})
    assert verdict(mine, warned(), unknown) == "unknown_main_account"
    # what is no matter of the rule anyhow needs no main account
    narrow = rule(kinds=["episode"], accounts={"main_accounts": ["fund-1"]})
    assert verdict(narrow, warned(), unknown) == "not_about"


def test_redis_is_asked_only_where_the_answer_hangs_on_it() -> None:
    assert not asks_for_facts(rule(), warned())
    assert asks_for_facts(rule(minimum_notional_usd="1"), warned())
    assert not asks_for_facts(rule(minimum_notional_usd="1"), reduced())
    assert not asks_for_facts(rule(minimum_notional_usd="1", kinds=["episode"]), warned())
    assert asks_for_facts(rule(accounts={"main_accounts": ["fund-1"]}), reduced())
    assert not asks_for_facts(rule(accounts={"main_accounts": ["acc-1"]}), reduced())
    assert not asks_for_facts(rule(accounts={"ids": ["acc-2"]}), reduced())


def test_the_size_of_a_reduction_is_the_sum_of_its_actions() -> None:
    action = reduced().actions[0].model_dump(mode="json")
    both = reduced(actions=[action, {**action, "notional_usd": "12000.5"}])
    assert notional(both, Facts(position_value=Decimal(1))) == Decimal("42000.5")
    assert notional(warned(), Facts(position_value=Decimal(7))) == 7
    assert notional(warned(), Facts()) is None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"channels": []}, "channels"),
        ({"channels": ["The Desk"]}, "channels"),
        ({"kinds": []}, "kinds"),
        ({"kinds": ["heartbeat"]}, "kinds"),
        ({"kinds": ["warning"], "states": ["bankrupt"]}, "bankrupt"),
        ({"states": ["entred"]}, "entred"),
        ({"bands": ["danger"]}, "bands"),
        ({"accounts": {"glob": ["x"]}}, "glob"),
        ({"minimum_notional_usd": "-1"}, "minimum_notional_usd"),
        ({"minimum_notional_usd": 0.5}, "minimum_notional_usd"),
        ({"repeat": {"step": "0"}}, "step"),
        ({"repeat": {"when": "sometimes"}}, "when"),
        ({"digest": {"more_than": 0}}, "more_than"),
        ({"channel": "desk"}, "channel"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        rule(**changes)
