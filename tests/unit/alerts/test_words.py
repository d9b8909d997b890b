"""What people read."""

import pytest

from monitor.schema import Command
from streams.alerts.gathering import Digest
from streams.alerts.sentences import sentence
from streams.alerts.watcher import Alert
from streams.alerts.words import Text, describe_alert, describe_digest
from tests.support.alerts import AT, cancel, episode, reduced, rule, warned

PAGE = "https://risk.example/"


def text(command: Command, *, held: bool = False, now: int = AT + 1000) -> Text:
    return describe_alert(Alert("rule-1", rule(), command, now, held), PAGE, now)


def test_a_warning_says_who_at_which_ratio_why_and_where_to_look() -> None:
    assert text(warned()) == Text(
        "acc-1 at 250.00 %: entered the warning band (at or below 300 %)",
        "acc-1: entered the warning band (at or below 300 %).\n"
        "Ratio 250.00 %: adjusted equity 100.00 USD against 40.00 USD of maintenance margin "
        "and liquidation fee.\n"
        "Why: BTC-USD at 60000.\n"
        "https://risk.example/#/account/acc-1",
        "warning",
    )


def test_a_reduction_says_each_action_and_its_reason() -> None:
    action = {
        "action": "close",
        "instrument": "BTC-USDT-SWAP",
        "side": "sell",
        "quantity": "120.0",
        "notional_usd": "72000",
        "from_tier": 4,
        "to_tier": 2,
        "bankruptcy_price": "58000.50",
        "why": "relief 900 USD for a loss of 36 USD",
    }
    found = text(reduced(actions=[action] * 7, step=2))
    assert found.title == "acc-1 at 98.00 %: reduction, step 2"
    assert "Decided: go down a tier (ES-5, RD-1):\n" in found.body
    assert (
        "– close sell 120 BTC-USDT-SWAP (72,000.00 USD, tier 4 to 2, bankruptcy price 58000.5): "
        "relief 900 USD for a loss of 36 USD\n"
    ) in found.body
    assert "– and 2 more\n" in found.body
    assert "Expected ratio after it: 120.00 %." in found.body
    assert found.tone == "failure"


@pytest.mark.parametrize(
    ("command", "said", "tone"),
    [
        (warned(state="worsened", level="1.5"), "got worse, now at or below 150 %", "warning"),
        (warned(state="cleared", level="3.15"), "left the warning band (above 315 %)", "success"),
        (cancel(), "2 orders to be cancelled", "warning"),
        (cancel(order_ids=["o-1"]), "1 order to be cancelled", "warning"),
        (
            reduced(kind="auto_exchange", phase="auto_exchange", band="warning"),
            "forced conversion of assets for an owed coin",
            "warning",
        ),
        (reduced(phase="takeover", step=3), "TAKEOVER, step 3", "failure"),
        (episode("opened"), "an episode has opened", "failure"),
        (episode("stuck", band="warning"), "STUCK", "failure"),
        (
            episode("bankrupt", shortfall="1234.561"),
            "BANKRUPT, shortfall 1,234.57 USD",
            "failure",
        ),
        (
            episode("cancel_sufficient", band="warning"),
            "cancelling orders was enough, no position is touched",
            "success",
        ),
        (episode("closed"), "the episode is closed, the account is out of danger", "success"),
    ],
)
def test_every_kind_and_state_in_plain_words(command: Command, said: str, tone: str) -> None:
    found = text(command)
    assert said in found.title
    assert said in found.body
    assert found.tone == tone
    assert found.body.endswith("https://risk.example/#/account/acc-1")


@pytest.mark.parametrize("reason", ["OC-1", "OC-2", "OC-3", "IN-5", "ES-4"])
def test_a_cancel_says_by_which_rule_and_why(reason: str) -> None:
    found = text(cancel(reason=reason, order_ids=[f"o-{n}" for n in range(8)]))
    assert "cancel o-0, o-1, o-2, o-3, o-4 and 3 more, because" in found.body
    assert f"({reason})." in found.body


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("fill", "a fill (f-1)"),
        ("transfer", "a transfer (f-1)"),
        ("recovery", "found at the start of a worker (f-1)"),
        ("sweep", "found by the full scan (f-1)"),
    ],
)
def test_the_cause_is_named(kind: str, words: str) -> None:
    assert f"Why: {words}.\n" in text(warned(cause={"kind": kind, "id": "f-1", "ts": 1})).body


def test_an_isolated_position_an_odd_id_stale_prices_and_a_repeat_are_said() -> None:
    found = text(
        reduced(
            "a/b #1",
            position="BTC-USDT-SWAP/isolated/long",
            stale_prices=["BTC-USD/index"],
            attempt=2,
            ratio=None,
        )
    )
    assert found.title.startswith("a/b #1, isolated BTC-USDT-SWAP at ∞: ")
    assert "Stale prices: BTC-USD/index.\n" in found.body
    assert "Sent again, attempt 2.\n" in found.body
    assert found.body.endswith("/#/account/a%2Fb%20%231")


def test_what_was_decided_long_ago_says_when() -> None:
    assert "Decided" not in text(warned()).body
    late = text(warned(), now=AT + 120_000)
    assert "Decided 2023-11-14 22:13:20 UTC.\n" in late.body
    assert "UTC (held over quiet hours).\n" in text(warned(), held=True).body


def test_a_digest_says_counts_shortfall_and_the_worst() -> None:
    digest = Digest("desk", AT)
    for number in range(12):
        digest.add(Alert("desk", rule(), warned(f"w{number}"), AT))
    digest.add(Alert("desk", rule(), reduced("r"), AT))
    digest.add(Alert("desk", rule(), episode("bankrupt", "b", ratio="-0.5", shortfall="99"), AT))
    assert describe_digest(digest, PAGE, AT + 30_000) == Text(
        "14 accounts within 30 s: 1 bankrupt, 12 entered the warning band",
        "\n".join(
            [
                "12 entered the warning band",
                "1 reduced (tier)",
                "1 bankrupt",
                "Reductions commanded: 30,000.00 USD",
                "Total shortfall: 99.00 USD",
                "Worst:",
                "– b -50.00 %, BANKRUPT, shortfall 99.00 USD: https://risk.example/#/account/b",
                "– r 98.00 %, reduction, step 1: https://risk.example/#/account/r",
                *(
                    f"– w{n} 250.00 %, entered the warning band (at or below 300 %): "
                    f"https://risk.example/#/account/w{n}"
                    for n in range(8)
                ),
                "Rule desk. https://risk.example/",
            ]
        ),
        "failure",
    )


def test_a_digest_of_good_news_is_good_news() -> None:
    digest = Digest("desk", AT)
    for number in range(6):
        digest.add(
            Alert("desk", rule(), episode("closed", f"a{number}"), AT, held=True),
        )
    found = describe_digest(digest, PAGE, AT)
    assert found.title == "6 accounts over quiet hours: 6 out of danger again"
    assert found.tone == "success"
    assert "Worst" not in found.body


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            (
                "tells desk of warning, order_cancel, reduction, auto_exchange and episode "
                "for every account; again when the ratio has fallen by 10 %; "
                "one digest for more than 5 accounts in 30 s"
            ),
        ),
        (
            {
                "channels": ["desk", "phone"],
                "kinds": ["episode"],
                "states": ["bankrupt"],
                "bands": ["liquidation"],
                "accounts": {"ids": ["a"], "globs": ["vip-*"], "main_accounts": ["m"]},
                "minimum_notional_usd": "100000",
                "quiet": [
                    {"timezone": "UTC", "start": "22:00", "end": "07:00", "days": ["sat", "sun"]}
                ],
                "repeat": {"when": "never"},
                "enabled": False,
            },
            (
                "(switched off) tells desk and phone of episode in the states bankrupt in the bands "
                "liquidation for a, accounts like vip-*, main accounts m and their sub-accounts from "
                "100000 USD on; once an episode; quiet 22:00 to 07:00 UTC from sat and sun; "
                "one digest for more than 5 accounts in 30 s"
            ),
        ),
    ],
)
def test_a_rule_in_one_sentence(changes: dict[str, object], said: str) -> None:
    assert sentence(rule(**changes)) == said
