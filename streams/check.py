"""Offline checks: one account and one question from a file, no Kafka (INTERFACE, `check`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from monitor.account import Account, Rejected, open_account
from monitor.limits import Totals, main_account_of
from monitor.questions import QUESTIONS, BadQuestion, Question, answer
from monitor.schema import AccountSettings
from monitor.schema.checks import CheckAnswer, TotalsGiven
from streams.documents import BadDocument, Document, read_document
from streams.evaluate import error_text, read_accounts, read_prices, read_reference

__all__ = ["check_file"]

_Model = TypeVar("_Model", bound=BaseModel)

_NOW = 0
"""Prices, account and totals of a file are all of the same moment."""


def check_file(path: Path) -> CheckAnswer:
    """Return the answer to the question of a file; raises `BadDocument` with every error.

    The file is one of `evaluate` with a single account, and besides it one of `order`, `borrow`,
    `withdrawal` and `repay`. `totals` may say what the main account and everybody borrow; what it
    does not name is unknown (H-10).
    """
    document = read_document(path)
    raw = document.value
    if not isinstance(raw, Mapping):
        raise BadDocument(
            [f"{path}: a mapping with reference, prices, accounts and a question is expected"]
        )
    errors: list[str] = []
    reference = read_reference(document, raw, errors)
    message = _only_account(document, raw, errors)
    found = _question(document, raw, errors)
    totals = _totals(document, raw, errors)
    if reference is None:
        raise BadDocument(errors)
    prices = read_prices(document, raw, reference, errors)
    account = None
    if message is not None:
        try:
            account = open_account(message, reference)
        except Rejected as error:
            errors += document.located([f"accounts.0: {error}"])
    unknown = sorted({*totals.main_account, *totals.platform} - {*reference.currencies, "USD"})
    errors += document.located([f"totals: unknown currency {name}" for name in unknown])
    if errors or account is None or found is None:
        raise BadDocument(errors)
    kind, question = found
    try:
        return answer(account, question, reference, prices, _as_totals(account, totals), _NOW)
    except BadQuestion as error:
        where = f"{kind}.{error.field}" if error.field else kind
        raise BadDocument(document.located([f"{where}: {error.problem}"])) from None


def _only_account(
    document: Document, raw: Mapping[str, Any], errors: list[str]
) -> AccountSettings | None:
    """Return the file's account; None after noting errors."""
    given = raw.get("accounts")
    if isinstance(given, list) and len(given) > 1:
        errors.append(f"{document.place('accounts')}: accounts: {len(given)} given, 1 is expected")
        return None
    return read_accounts(document, raw, errors).get(0)


def _question(
    document: Document, raw: Mapping[str, Any], errors: list[str]
) -> tuple[str, Question] | None:
    """Return (kind, question); None after noting errors."""
    given = [kind for kind in QUESTIONS if kind in raw]
    if len(given) != 1:
        places = f"{document.place(given[1])}: " if given else f"{document.path}: "
        names = " and ".join(given) or "no question"
        errors.append(f"{places}{names} given, one of {', '.join(QUESTIONS)} is expected")
        return None
    (kind,) = given
    question = _parsed(document, kind, QUESTIONS[kind], raw[kind], errors)
    return None if question is None else (kind, question)


def _totals(document: Document, raw: Mapping[str, Any], errors: list[str]) -> TotalsGiven:
    """Return what the file says is borrowed in all; nothing where it says nothing."""
    if raw.get("totals") is None:
        return TotalsGiven()
    found = _parsed(document, "totals", TotalsGiven, raw["totals"], errors)
    return TotalsGiven() if found is None else found


def _parsed(
    document: Document, name: str, model: type[_Model], value: Any, errors: list[str]
) -> _Model | None:
    """Return the model of one part of the file; None after noting errors.

    A field that the model does not have is one: what was meant by it would be left out unseen.
    """
    if isinstance(value, Mapping):
        wrong = [str(field) for field in value if field not in model.model_fields]
        known = ", ".join(model.model_fields)
        errors += document.located(
            [f"{name}.{field}: no such field, one of {known} is expected" for field in wrong]
        )
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors += document.located(
            [
                f"{'.'.join(str(part) for part in (name, *item['loc']))}: {error_text(item)}"
                for item in error.errors()
            ]
        )
        return None


def _as_totals(account: Account, given: TotalsGiven) -> Totals:
    main = {main_account_of(account): given.main_account}
    return Totals(_NOW, main, given.platform, complete=False)
