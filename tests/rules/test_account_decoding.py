"""Decoding in C equals the models: the same events, the same words for what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.account import Rejected, decode
from monitor.account.decoding import _QUICK, MODELS
from monitor.schema import AccountEvent

FILL = {
    "account_id": "acc-1",
    "fill_id": "f1",
    "order_id": "o1",
    "instrument": "BTC-USDT-SWAP",
    "side": "buy",
    "position_side": "net",
    "margin_mode": "cross",
    "price": "20910.3",
    "quantity": "12",
    "fee": "-0.125",
    "fee_currency": "USDT",
    "ts": 1_667_779_200_000,
    "account_seq": 17,
    "leverage": "5",
    "command_id": "c1",
}
ORDER = {
    "account_id": "acc-1",
    "order_id": "o1",
    "version": 3,
    "instrument": "BTC-USDT",
    "side": "sell",
    "position_side": "long",
    "margin_mode": "isolated",
    "price": "0.5",
    "quantity": "12",
    "filled_quantity": "2",
    "status": "open",
    "reduce_only": False,
    "auto_borrow": True,
    "ts": 1,
    "created_ts": 0,
    "leverage": None,
}
TRANSFER = {
    "account_id": "acc-1",
    "transfer_id": "t1",
    "kind": "funding",
    "currency": "USDT",
    "amount": "-3.50",
    "ts": 5,
    "instrument": "BTC-USDT-SWAP",
    "position_side": "short",
}
PLAIN = {"fills": FILL, "orders": ORDER, "transfers": TRANSFER}

ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.0, 1.5, 10**15, 10**15 - 1, 10**20, 2**63, [], {}, ["1"]),
    *("", "0", "-0", "00", "1", "-1", "+1", "1.", ".5", ".", "-", "1e3", "1E-3", "NaN", "inf"),
    *(" 1", "1 ", "1_0", "٣", "1\n", "0x1", "1,5", "--1", "-.5", "1.2.3", "9" * 149, "9" * 151),
    *("a" * 200, "a" * 201, "é" * 200, "\x7f", "a\nb", "\x1f", '"', "\\", "{", "[", "\u2028", "𝄞"),
    *("buy", "sell", "net", "long", "short", "cross", "isolated", "open", "cancelled", "deposit"),
    *("margin", "withdrawal", "true", "multi_currency"),
]
RAW = [
    *("", " ", "{}", "[]", "null", "1", '"a"', "{", '{"account_id":"a"', "{'a':1}", "nonsense"),
    *('{"account_id":"\\ud800"}', '{"account_id":"a\tb","ts":1}', '{"ts":01}', '{"ts":NaN}'),
]


def by_the_model(topic: str, value: str) -> AccountEvent | str:
    try:
        return MODELS[topic].model_validate_json(value)
    except ValidationError as error:
        return "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'message'}: "
            f"{item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        )


def assert_alike(topic: str, value: str) -> None:
    expected = by_the_model(topic, value)
    found: AccountEvent | str
    try:
        found = decode(topic, value)
    except Rejected as error:
        found = str(error)
    assert found == expected
    assert type(found) is type(expected)
    if not isinstance(found, str) and not isinstance(expected, str):
        assert found.model_dump_json() == expected.model_dump_json()
        assert repr(found) == repr(expected)
        assert found.model_fields_set == expected.model_fields_set


topics = st.sampled_from(sorted(PLAIN))
changes = st.dictionaries(
    st.integers(0, 30), st.sampled_from([*ODD, "gone"]) | st.text(max_size=5), max_size=3
)


@settings(max_examples=600, deadline=None)
@given(topics, changes, st.booleans(), st.booleans())
@example("orders", {8: "3", 9: "4"}, False, False)
def test_odd_fields_are_what_the_models_make_of_them(
    topic: str, changed: dict[int, Any], compact: bool, ascii_only: bool
) -> None:
    message = dict(PLAIN[topic])
    names = list(message)
    for place, value in changed.items():
        name = names[place % len(names)]
        if value == "gone":
            message.pop(name, None)
        else:
            message[name] = value
    separators = (",", ":") if compact else None
    assert_alike(topic, json.dumps(message, separators=separators, ensure_ascii=ascii_only))


@settings(max_examples=400, deadline=None)
@given(topics, st.data())
def test_a_text_that_was_cut_or_changed_is_what_the_models_make_of_it(
    topic: str, data: st.DataObject
) -> None:
    text = json.dumps(PLAIN[topic])
    place = data.draw(st.integers(0, len(text) - 1))
    until = data.draw(st.integers(place, min(len(text), place + 4)))
    put = data.draw(
        st.sampled_from(["", '"', "\\", "0", "-", ",", ":", "}", "\x00", "\n", "é", "[["])
    )
    assert_alike(topic, text[:place] + put + text[until:])


@pytest.mark.parametrize("topic", sorted(PLAIN))
@pytest.mark.parametrize("value", RAW)
def test_what_is_no_message_at_all(topic: str, value: str) -> None:
    assert_alike(topic, value)


@pytest.mark.parametrize("topic", sorted(PLAIN))
@pytest.mark.parametrize(
    "more",
    [
        '"account_id":"acc-2",',  # the last of two counts
        '"unknown":{"a":[1,2]},',
        '"unknown":' + "[" * 300 + "]" * 300 + ",",
        '"unknown":1e999,',
        '"ts":1.0,',
    ],
)
def test_repeated_unknown_and_deep_fields(topic: str, more: str) -> None:
    text = json.dumps(PLAIN[topic])
    assert_alike(topic, "{" + more + text[1:])
    assert_alike(topic, text[:-1] + "," + more[:-1] + "}")


@pytest.mark.parametrize("topic", sorted(PLAIN))
def test_plain_records_are_decoded_without_the_models(topic: str) -> None:
    """What the simulated exchange sends is plain: otherwise the quick way would be none."""
    text = json.dumps(PLAIN[topic], separators=(",", ":"))
    assert _QUICK[topic](text) == by_the_model(topic, text)
