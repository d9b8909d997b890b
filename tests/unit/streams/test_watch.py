"""One line a message."""

from decimal import Decimal

from monitor.schema import DeadLetter, EpisodeNotice, Heartbeat, OrderCancel
from streams.watch import line
from tests.support.outputs import reduction, warning

T0 = 1_700_000_000_123


def test_a_warning() -> None:
    words = line(warning(1, decided_at=T0, ratio="2.87129")).plain.split()
    assert words[:6] == ["2023-11-14", "22:13:20.123", "acc-1", "warning", "287.12", "%"]
    assert " ".join(words[6:]) == "entered, at or below 300 %"


def test_ratios_are_rounded_against_the_account() -> None:
    assert " 99.99 %" in line(warning(1, ratio="0.9999999")).plain
    assert " -1.01 %" in line(warning(1, ratio="-0.010001")).plain
    assert " ∞ " in line(warning(1, ratio=None)).plain


def test_what_makes_a_command_special_is_said() -> None:
    text = line(warning(1, attempt=2, stale_prices=["BTC-USD/index"]), late=True).plain
    assert text.endswith("attempt 2  stale: BTC-USD/index  expired")


def test_a_reduction_says_what_to_do_and_what_it_leads_to() -> None:
    assert line(reduction(2)).plain.endswith(
        "step 1 tier: sell 0.5 BTC-USDT (30,000 USD) → 120.00 %"
    )


def test_a_cancel_names_a_few_orders() -> None:
    common = warning(1).model_dump(exclude={"kind", "state", "level"})
    cancel = OrderCancel(**common, reason="ES-4", order_ids=tuple("abcde"))
    assert line(cancel).plain.endswith("ES-4: cancel 5 orders (a, b, c and 2 more)")
    cancel = OrderCancel(**common, reason="OC-1", order_ids=("a",))
    assert line(cancel).plain.endswith("OC-1: cancel 1 order (a)")


def test_a_bankruptcy_names_its_shortfall_rounded_up() -> None:
    common = warning(1).model_dump(exclude={"kind", "state", "level"})
    notice = EpisodeNotice(**common, state="bankrupt", shortfall=Decimal("1234.561"))
    assert line(notice).plain.endswith("acc-1#1 bankrupt, shortfall 1,234.57 USD")


def test_dead_letters_and_heartbeats() -> None:
    letter = DeadLetter(topic="fills", partition=3, offset=17, reason="price: -1", value="", ts=T0)
    assert line(letter).plain.endswith("fills[3]@17: price: -1")
    beat = Heartbeat(
        worker="w1", state="ready", partitions=(0, 1), accounts={"normal": 5}, now=T0, ts=T0
    )
    assert line(beat).plain.endswith("ready, 2 partitions, accounts: 5 normal, lag 0")
