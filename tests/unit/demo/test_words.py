"""What the feed says of commands, as somebody who watches reads it."""

from typing import Any

import msgspec
import pytest

from streams.demo.words import Seen, amount, decode_command, percent, say

_BASE: dict[str, Any] = {
    "command_id": "c",
    "account_id": "acc-000001",
    "episode_id": "acc-000001#1",
    "sequence": 1,
    "decided_at": 1_000,
    "ratio": "0.973",
    "cause": {"kind": "tick", "symbol": "BTC-USD", "ts": 1},
    "inputs": {"book": {}, "ticks": {"BTC-USD/index": 7}, "reference": ""},
}


def _seen(**fields: Any) -> Seen:
    found = decode_command(msgspec.json.encode({**_BASE, **fields}))
    assert found is not None
    return found


def _close(quantity: str, side: str = "net") -> dict[str, str]:
    return {
        "action": "close",
        "instrument": "BTC-USDT-SWAP",
        "position_side": side,
        "quantity": quantity,
        "notional_usd": "1",
    }


@pytest.mark.parametrize(
    ("fields", "what", "tone"),
    [
        (
            {"kind": "warning", "state": "entered", "level": "3"},
            "warning: 300 % or less",
            "warning",
        ),
        (
            {"kind": "warning", "state": "worsened", "level": "1.5"},
            "warning: fell to 150 %",
            "warning",
        ),
        (
            {"kind": "warning", "state": "cleared", "level": "3.15"},
            "warning over, above 315 % again",
            "quiet",
        ),
        (
            {"kind": "order_cancel", "reason": "ES-4", "order_ids": ["a"]},
            "cancel 1 order before touching positions",
            "cancel",
        ),
        (
            {"kind": "order_cancel", "reason": "OC-1", "order_ids": ["a", "b"], "attempt": 2},
            "cancel 2 orders that open or add (attempt 2)",
            "cancel",
        ),
        (
            {"kind": "reduction", "phase": "unhedged", "step": 2, "actions": [_close("12.5")]},
            "step 2: close 12.5 BTC-USDT-SWAP",
            "reduce",
        ),
        (
            {
                "kind": "auto_exchange",
                "phase": "auto_exchange",
                "step": 1,
                "actions": [
                    {"action": "sell", "instrument": "BTC-USDT", "side": "sell", "quantity": "0.12"}
                ],
            },
            "step 1: convert for a debt above its quota, sell 0.12 BTC-USDT",
            "reduce",
        ),
        (
            {"kind": "order_cancel", "reason": "IN-5", "order_ids": ["a"]},
            "cancel 1 order that funding left short",
            "cancel",
        ),
        (
            {
                "kind": "reduction",
                "phase": "tier",
                "step": 1,
                "position": "BTC-USDT-SWAP/isolated/long",
                "actions": [_close("30", "long")],
            },
            "isolated BTC-USDT-SWAP long: step 1: close 30 BTC-USDT-SWAP long",
            "reduce",
        ),
        (
            {
                "kind": "reduction",
                "phase": "takeover",
                "step": 2,
                "position": "BTC-USDT/isolated/net",
                "actions": [_close("30")],
            },
            "isolated BTC-USDT: takeover at its bankruptcy price",
            "reduce",
        ),
        (
            {"kind": "warning", "state": "entered", "level": "3", "position": "A/isolated/net"},
            "isolated A: warning: 300 % or less",
            "warning",
        ),
        (
            {
                "kind": "reduction",
                "phase": "delta_neutral",
                "step": 1,
                "actions": [_close("3", "long"), _close("4", "short")],
            },
            "step 1: hedged pair, close 3 BTC-USDT-SWAP long + 1",
            "reduce",
        ),
        (
            {"kind": "reduction", "phase": "takeover", "step": 3, "actions": [_close("3")] * 2},
            "takeover of all: 2 positions and coins",
            "reduce",
        ),
        (
            {"kind": "episode", "state": "cancel_sufficient"},
            "saved: cancelling its orders was enough",
            "saved",
        ),
        (
            {"kind": "episode", "state": "bankrupt", "shortfall": "12345.6"},
            "bankrupt, 12.3 k USD short",
            "bad",
        ),
    ],
)
def test_a_command_reads_as_a_sentence(fields: dict[str, Any], what: str, tone: str) -> None:
    line = say(_seen(**fields))
    assert line is not None
    assert (line.what, line.tone, line.account_id, line.ratio) == (what, tone, "acc-000001", 0.973)


def test_an_opened_episode_is_no_line_of_its_own() -> None:
    assert say(_seen(kind="episode", state="opened")) is None


def test_what_is_no_command_is_passed_over() -> None:
    assert decode_command(b'{"kind": "warning"}') is None
    assert decode_command(b"\xff") is None


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (None, "–"),
        ("1", "100.0 %"),
        ("0.97349", "97.3 %"),
        ("2.996", "300 %"),
        ("-0.12", "−12.0 %"),
        ("4321", "> 99,999 %"),
    ],
)
def test_a_ratio_is_shown_as_a_percentage(ratio: str | None, text: str) -> None:
    assert percent(ratio) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0", "0"),
        ("0.035736", "0.035736"),
        ("12.50", "12.5"),
        ("1234.56", "1,235"),
        ("99950", "100 k"),
        ("1234567.8", "1.23 M"),
        ("-50000", "−50 k".replace("−", "-")),
    ],
)
def test_an_amount_is_short(number: str, text: str) -> None:
    assert amount(number) == text
