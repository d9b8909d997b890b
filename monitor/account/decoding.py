"""Records of the account topics as events: checked in C where they are plain, by the models else.

The models of `monitor.schema.events` are the contract. What is decoded here equals what they make of
it; whatever is unusual, and everything that is wrong, goes through them, so that they name the error.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
from msgspec import Meta
from pydantic import ValidationError

from monitor.account.exceptions import Rejected
from monitor.exact import ZERO
from monitor.schema.base import LONGEST_DECIMAL
from monitor.schema.events import (
    SIGNED_TRANSFERS,
    AccountEvent,
    AccountSettings,
    Fill,
    MarginMode,
    Order,
    PositionSide,
    Side,
    Transfer,
    TransferKind,
)

__all__ = ["MODELS", "decode"]

MODELS: dict[str, type[AccountEvent]] = {
    "fills": Fill,
    "orders": Order,
    "transfers": Transfer,
    "accounts": AccountSettings,
}

_Identifier = Annotated[str, Meta(min_length=1, max_length=200)]
"""Control characters need an escape in JSON, and what has one is left to the models."""
_Millis = Annotated[int, Meta(ge=0, lt=10**15)]
_Number = Annotated[int, Meta(ge=0)]
_Decimal = Annotated[str, Meta(min_length=1, max_length=LONGEST_DECIMAL)]


class _Shared(TypedDict):
    account_id: _Identifier
    account_seq: NotRequired[_Number | None]
    ts: _Millis
    command_id: NotRequired[_Identifier | None]


class _Traded(_Shared):
    order_id: _Identifier
    instrument: _Identifier
    side: Side
    position_side: NotRequired[PositionSide]
    margin_mode: NotRequired[MarginMode]
    quantity: _Decimal
    leverage: NotRequired[_Decimal | None]


class _Fill(_Traded):
    fill_id: _Identifier
    price: _Decimal
    fee: _Decimal
    fee_currency: _Identifier


class _Order(_Traded):
    version: _Number
    price: _Decimal | None
    filled_quantity: _Decimal
    status: Literal["open", "filled", "cancelled"]
    reduce_only: bool
    auto_borrow: bool
    created_ts: NotRequired[_Millis | None]


class _Transfer(_Shared):
    transfer_id: _Identifier
    kind: TransferKind
    currency: _Identifier
    amount: _Decimal
    instrument: NotRequired[_Identifier | None]
    position_side: NotRequired[PositionSide | None]


def decode(topic: str, value: str | bytes) -> AccountEvent:
    """Return the event in one record of `topic` (`fills`, …). Raises `Rejected`, naming each field."""
    quick = _QUICK.get(topic)
    if quick is not None and isinstance(value, str) and _is_plain(value):
        event = quick(value)
        if event is not None:
            return event
    try:
        return MODELS[topic].model_validate_json(value)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'message'}: "
            f"{item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        )
        raise Rejected(problems) from None


def _is_plain(value: str) -> bool:
    """Say whether a record is one flat object of unescaped strings, as nearly all of them are."""
    return "\\" not in value and "[" not in value and value.find("{", 1) < 0


def _quick(
    model: type[AccountEvent],
    shape: Any,
    decimals: tuple[str, ...],
    passes: Callable[[dict[str, Any]], bool],
) -> Callable[[str], AccountEvent | None]:
    """Return what decodes plain records of one topic; None is left to the model."""
    read = msgspec.json.Decoder(shape).decode
    # In the order of the model's fields, which is that of its JSON.
    every = {
        name: None if field.is_required() else field.default
        for name, field in model.model_fields.items()
    }

    def decode_plain(value: str) -> AccountEvent | None:
        try:
            given: dict[str, Any] = read(value)
        except msgspec.DecodeError:
            return None
        fields = {**every, **given}
        for name in decimals:
            text = fields[name]
            if text is None:
                continue
            digits = text.removeprefix("-").replace(".", "", 1)
            if not (digits.isascii() and digits.isdigit()):
                return None
            fields[name] = Decimal(text)
        return _made(model, fields, set(given)) if passes(fields) else None

    return decode_plain


def _made(model: type[AccountEvent], fields: dict[str, Any], given: set[str]) -> AccountEvent:
    """Return a model of fields that were checked already (as `model_construct`, at a fifth of its cost)."""
    event = model.__new__(model)
    put = object.__setattr__
    put(event, "__dict__", fields)
    put(event, "__pydantic_fields_set__", given)
    put(event, "__pydantic_extra__", None)
    put(event, "__pydantic_private__", None)
    return event


def _is_leverage(leverage: Decimal | None) -> bool:
    return leverage is None or leverage > ZERO


def _passes_fill(fields: dict[str, Any]) -> bool:
    return fields["price"] > ZERO and fields["quantity"] > ZERO and _is_leverage(fields["leverage"])


def _passes_order(fields: dict[str, Any]) -> bool:
    price, filled = fields["price"], fields["filled_quantity"]
    return (
        (price is None or price > ZERO)
        and fields["quantity"] > ZERO
        and ZERO <= filled <= fields["quantity"]
        and _is_leverage(fields["leverage"])
    )


def _passes_transfer(fields: dict[str, Any]) -> bool:
    return fields["amount"] >= ZERO or fields["kind"] in SIGNED_TRANSFERS


_QUICK: dict[str, Callable[[str], AccountEvent | None]] = {
    "fills": _quick(Fill, _Fill, ("price", "quantity", "fee", "leverage"), _passes_fill),
    "orders": _quick(
        Order, _Order, ("price", "quantity", "filled_quantity", "leverage"), _passes_order
    ),
    "transfers": _quick(Transfer, _Transfer, ("amount",), _passes_transfer),
}
