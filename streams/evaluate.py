"""Offline assessments: reference set, prices and accounts from one file, no Kafka (INTERFACE)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from monitor.account import Account, Rejected, open_account
from monitor.borrowing import borrowing_table
from monitor.explain import Node, explain
from monitor.liquidation_price import liquidation_prices
from monitor.margin import assess
from monitor.prices import PriceBook
from monitor.reference import BadReference, Reference, load_reference
from monitor.report import assessment
from monitor.schema import AccountSettings, Assessment, Policy, Tick
from streams.documents import BadDocument, Document, read_document
from streams.reference.files import load_reference_file

__all__ = [
    "Evaluated",
    "error_text",
    "evaluate_file",
    "read_accounts",
    "read_prices",
    "read_reference",
]


class Evaluated(NamedTuple):
    """One account: its assessment, and why it is so where that was asked for."""

    assessment: Assessment
    explanation: Node | None


def evaluate_file(path: Path, *, explains: bool = False) -> list[Evaluated]:
    """Return one assessment per account of the file, in its order; raises `BadDocument`.

    Borrowing (BL-4) and liquidation prices (MR-4) are in it; what main accounts and the platform
    lend out in all is not known offline.

    The file (YAML or JSON) holds `reference` (inline, or a path from the file's folder), `prices`
    (symbol → price; the mark of a derivative, else an index) and `accounts` (messages of the topic
    `accounts` with their snapshot; `ts`, and what a snapshot's orders repeat, may be left out). The
    prices are those of `now` (epoch milliseconds), by which options have a time to live and dated
    parameters hold (PM-4); without it, of the present.
    """
    document = read_document(path)
    raw = document.value
    if not isinstance(raw, Mapping):
        raise BadDocument([f"{path}: a mapping with reference, prices and accounts is expected"])
    errors: list[str] = []
    reference = read_reference(document, raw, errors)
    if reference is None:
        # Without it neither prices nor accounts can be read: they are only looked over.
        read_accounts(document, raw, errors)
        raise BadDocument(errors)
    prices = read_prices(document, raw, reference, errors)
    accounts = read_accounts(document, raw, errors)
    found = []
    for number, message in accounts.items():
        try:
            account = open_account(message, reference)
        except Rejected as error:
            errors.extend(document.located([f"accounts.{number}: {error}"]))
            continue
        found.append(_evaluated(account, reference, prices, explains=explains))
    if errors:
        raise BadDocument(errors)
    return found


def _evaluated(
    account: Account, reference: Reference, prices: PriceBook, *, explains: bool
) -> Evaluated:
    figures = assess(account, reference, prices)
    priced = not figures.unpriced
    shown = assessment(
        account,
        figures,
        reference.policy,
        borrowing=borrowing_table(account, figures, reference, None) if priced else None,
        liquidation=liquidation_prices(account, figures, reference, prices),
    )
    return Evaluated(shown, explain(account, figures, reference, prices) if explains else None)


def read_reference(
    document: Document, raw: Mapping[str, Any], errors: list[str]
) -> Reference | None:
    """Return the reference set, inline or from its own file; None after noting errors."""
    given = raw.get("reference")
    try:
        if isinstance(given, str):
            return load_reference_file(document.path.parent / given)[1]
        if given is not None:
            return load_reference(given)
    except BadDocument as error:
        errors.extend(error.errors)
    except BadReference as error:
        errors.extend(document.located([f"reference.{text}" for text in error.errors]))
    else:
        errors.append(f"{document.path}: reference: missing; a path or the set itself")
    return None


def read_prices(
    document: Document, raw: Mapping[str, Any], reference: Reference, errors: list[str]
) -> PriceBook:
    """Return the book of the given prices, all of the file's `now`."""
    book = PriceBook()
    now = _now(document, raw, errors)
    given = raw.get("prices")
    if not isinstance(given, Mapping):
        errors.append(f"{document.place('prices')}: prices: a mapping symbol → price is expected")
        return book
    for symbol, price in given.items():
        instrument = reference.instruments.get(str(symbol))
        mark = instrument is not None and instrument.kind != "spot"  # PX-1
        try:
            tick = Tick.model_validate(
                {"symbol": symbol, "kind": "mark" if mark else "index", "price": price, "ts": now}
            )
        except ValidationError as error:
            errors.extend(
                document.located(
                    [f"prices.{symbol}: {error_text(item)}" for item in error.errors()]
                )
            )
        else:
            book.take(tick, 0, Policy(), 0)
    return book


def _now(document: Document, raw: Mapping[str, Any], errors: list[str]) -> int:
    given = raw.get("now")
    if given is None:
        return time.time_ns() // 1_000_000
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given < 10**15:
        errors.append(f"{document.place('now')}: now: {given!r} given, epoch milliseconds expected")
        return 0
    return given


def read_accounts(
    document: Document, raw: Mapping[str, Any], errors: list[str]
) -> dict[int, AccountSettings]:
    """Return the readable account messages by their number in the file."""
    given = raw.get("accounts")
    if not isinstance(given, list) or not given:
        errors.append(f"{document.place('accounts')}: accounts: a list of at least one is expected")
        return {}
    found = {}
    for number, message in enumerate(given):
        try:
            found[number] = AccountSettings.model_validate(_completed(message))
        except ValidationError as error:
            texts = []
            for item in error.errors():
                where = ".".join(str(part) for part in ("accounts", number, *item["loc"]))
                texts.append(f"{where}: {error_text(item)}")
            errors.extend(document.located(texts))
    return found


def _completed(message: Any) -> Any:
    """Return the message with what only a message on a topic needs to say."""
    if not isinstance(message, Mapping):
        return message
    filled = {"ts": 0, **message}
    snapshot = filled.get("snapshot")
    if isinstance(snapshot, Mapping) and isinstance(snapshot.get("orders"), list):
        common = {"account_id": filled.get("account_id"), "ts": filled["ts"], "version": 0}
        orders = [
            {**common, **order} if isinstance(order, Mapping) else order
            for order in snapshot["orders"]
        ]
        filled["snapshot"] = {**snapshot, "orders": orders}
    return filled


def error_text(item: Mapping[str, Any]) -> str:
    """Return what one item of a `ValidationError` says, without pydantic's own prefix."""
    return str(item["msg"]).removeprefix("Value error, ")
