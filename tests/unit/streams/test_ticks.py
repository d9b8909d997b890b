"""Ticks off the wire: decoded fast, and never otherwise than the model decodes them."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.schema import Tick
from streams.tick_messages import BadTick, TickMessage, decode_surely, decode_tick

GOOD = {
    "symbol": "BTC-USD",
    "kind": "index",
    "price": "60000.10",
    "ts": 1_700_000_000_000,
    "seq": 7,
}


def _bytes(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def test_px_1_a_tick_keeps_every_digit_of_its_price() -> None:
    price = "0.00000000000000000000000000000012345678"
    tick = decode_tick(_bytes(price=price))
    assert tick == TickMessage("BTC-USD", "index", price, 1_700_000_000_000, 7)
    assert (str(tick.price), tick.value) == (str(Decimal(price)), float(Decimal(price)))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"price": "0"}, "price"),
        ({"price": "-1"}, "price"),
        ({"price": "NaN"}, "price"),
        ({"price": "Infinity"}, "price"),
        ({"price": "1e5"}, "price"),
        ({"price": 60000.1}, "price"),
        ({"price": "1" * 151}, "price"),
        ({"price": None}, "price"),
        ({"kind": "last"}, "kind"),
        ({"symbol": ""}, "symbol"),
        ({"symbol": "A\nB"}, "symbol"),
        ({"ts": -1}, "ts"),
        ({"ts": "soon"}, "ts"),
    ],
)
def test_px_5_what_is_no_positive_finite_decimal_is_refused_by_name(
    changes: dict[str, object], named: str
) -> None:
    with pytest.raises(BadTick, match=named):
        decode_tick(_bytes(**changes))


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"\xff", b'"tick"', b"null"])
def test_px_5_what_is_no_message_is_refused(value: bytes | None) -> None:
    with pytest.raises(BadTick):
        decode_tick(value)


_prices = st.one_of(
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.decimals(min_value=0, places=8, allow_nan=False, allow_infinity=False).map(str),
    st.from_regex(r"[+-]?[0-9]{0,3}\.?[0-9]{0,3}", fullmatch=True),
    st.integers(),
    st.floats(),
    st.none(),
)
_others = st.fixed_dictionaries(
    {},
    optional={
        "symbol": st.one_of(st.text(max_size=5), st.sampled_from(["BTC-USD", "\n", "é"])),
        "kind": st.sampled_from(["index", "mark", "Index", "", None]),
        "ts": st.one_of(st.integers(), st.sampled_from(["5", 5.0, 5.5, None, True])),
        "seq": st.one_of(st.integers(), st.sampled_from(["5", None, 2**70])),
        "more": st.none(),
    },
)


@given(price=_prices, others=_others)
def test_the_fast_path_agrees_with_the_model(price: object, others: dict[str, object]) -> None:
    value = json.dumps({**GOOD, "price": price, **others}).encode()
    try:
        expected = Tick.model_validate_json(value)
    except ValidationError:
        with pytest.raises(BadTick):
            decode_tick(value)
    else:
        got = decode_tick(value)
        assert (got.symbol, got.kind, got.ts, got.seq) == (
            expected.symbol,
            expected.kind,
            expected.ts,
            expected.seq,
        )
        assert str(got.price) == str(expected.price)
        assert got.value == expected.value


_wire = st.one_of(
    st.builds(_bytes, price=st.sampled_from(["1", "0.50", "60000.10", "7", "19.25"])),
    st.builds(_bytes, price=_prices),
    st.builds(_bytes, symbol=st.text(max_size=3)),
    st.sampled_from([None, b"", b"{}", _bytes() + _bytes(), b" " + _bytes() + b"\n"]),
)


@given(values=st.lists(_wire, max_size=5))
def test_messages_decoded_at_once_are_those_decoded_one_by_one(values: list[bytes | None]) -> None:
    sure = decode_surely(values)
    if sure is not None:
        ticks, prices = sure
        assert ticks == [decode_tick(value) for value in values]
        assert prices == [tick.value for tick in ticks]


@pytest.mark.parametrize("bad", [None, b"{", _bytes(price="0"), _bytes(price="1e5"), _bytes(ts=-1)])
def test_px_5_one_message_that_is_no_tick_leaves_a_batch_unsure(bad: bytes | None) -> None:
    assert decode_surely([_bytes(), _bytes(seq=8)]) is not None
    assert decode_surely([_bytes(), bad, _bytes(seq=8)]) is None
