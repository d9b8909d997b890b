"""Offline what-if: accounts, prices and a scenario from one file, no Kafka (WI-1)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from monitor.account import Account, Rejected, open_account
from monitor.reference import Reference
from monitor.scenario import BadScenario, Bulk, FillAsked, WhatIfAnswer, WhatIfQuestion, what_if
from streams.documents import BadDocument, Document, read_document
from streams.evaluate import error_text, read_accounts, read_prices, read_reference

__all__ = ["what_if_file"]

_PARTS = ("shocks", "fills", "cash")


def what_if_file(path: Path) -> WhatIfAnswer:
    """Return every account of a file before and after; raises `BadDocument` with every error.

    The file is one of `evaluate`, and besides it holds `shocks`, `fills` and `cash`, at least one of
    them; `account_id` says whose, where there are several accounts.
    """
    document = read_document(path)
    raw = document.value
    if not isinstance(raw, Mapping):
        raise BadDocument(
            [f"{path}: a mapping with reference, prices, accounts and shocks is expected"]
        )
    errors: list[str] = []
    reference = read_reference(document, raw, errors)
    question = _question(document, raw, errors)
    if reference is None:
        read_accounts(document, raw, errors)
        raise BadDocument(errors)
    prices = read_prices(document, raw, reference, errors)
    accounts = _accounts(document, raw, reference, errors)
    if errors or question is None:
        raise BadDocument(errors)
    try:
        return what_if(Bulk.of(accounts, reference), prices, question, every=True)
    except BadScenario as error:
        raise BadDocument(document.located([str(error)])) from None


def _accounts(
    document: Document, raw: Mapping[str, Any], reference: Reference, errors: list[str]
) -> list[Account]:
    found: dict[str, Account] = {}
    for number, message in read_accounts(document, raw, errors).items():
        try:
            account = open_account(message, reference)
        except Rejected as error:
            errors += document.located([f"accounts.{number}: {error}"])
            continue
        if account.account_id in found:
            where = f"accounts.{number}.account_id"
            errors += document.located([f"{where}: {account.account_id} stands there already"])
        found[account.account_id] = account
    return list(found.values())


def _question(
    document: Document, raw: Mapping[str, Any], errors: list[str]
) -> WhatIfQuestion | None:
    """Return the scenario; None after noting errors."""
    if not any(raw.get(part) for part in _PARTS):
        errors.append(
            f"{document.path}: no scenario; {', '.join(_PARTS)}: one at least is expected"
        )
        return None
    fills = raw.get("fills")
    for number, fill in enumerate(fills if isinstance(fills, list) else ()):
        known = FillAsked.model_fields
        errors += document.located(
            [
                f"fills.{number}.{name}: no such field, one of {', '.join(known)} is expected"
                for name in (fill if isinstance(fill, Mapping) else ())
                if name not in known
            ]
        )
    given = {name: raw[name] for name in (*_PARTS, "account_id") if raw.get(name) is not None}
    try:
        return WhatIfQuestion.model_validate(given)
    except ValidationError as error:
        errors += document.located(
            [
                f"{'.'.join(str(part) for part in item['loc'])}: {error_text(item)}"
                for item in error.errors()
            ]
        )
        return None
