"""The checked-in contract: as the code makes it, and true of the messages the code makes."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from monitor.exact import plain
from monitor.questions import QUESTIONS, answer
from monitor.report import assessment
from monitor.schema import Message, Tick
from monitor.schema.alerts import AlertRule, DeletedRule
from monitor.schema.base import Amount, NonNegative, Positive, Rate
from streams.contract import stale, write
from streams.contract.asyncapi import REPLICATION, asyncapi
from streams.contract.messages import (
    DOCUMENTS,
    INTERNAL,
    MESSAGES,
    TOPICS,
    MessageSpec,
    ReferenceSet,
    schema_of,
)
from streams.contract.prose import field_texts, rules_named
from streams.contract.schemas import MissingUnit, json_schema, nodes
from streams.contract.tables import BEGIN, END
from streams.contract.units import UNITS
from streams.dead_letters import BadRecord, dead_letter
from streams.embedded.jars import cache_dir
from streams.reference.records import SetRecord
from streams.requests import AssessmentAnswer, CheckReply, Inquiry, Unanswered
from streams.settings import Settings
from streams.topics import COMMAND_TOPICS, Topics, topic_specs
from streams.verify import Record
from streams.worker.heartbeat import heartbeat
from tests.rules.interest_world import debtor
from tests.verify.simulated import Run, without_auto_borrow, without_quota

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "docs" / "schemas"
SPECS = {spec.name: spec for spec in (*MESSAGES, *DOCUMENTS)}
NOW = 1_700_000_000_000
ASYNCAPI_SPECS = "@asyncapi/specs@6.11.1"


def validator(name: str) -> jsonschema.Draft202012Validator:
    """Return a validator of the checked-in schema."""
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def valid(name: str, message: Any) -> bool:
    return bool(validator(name).is_valid(message))


# -- the files ------------------------------------------------------------------------------------


def test_the_checked_in_files_are_what_the_code_makes() -> None:
    assert stale(ROOT) == [], "run `make contract`"


def test_a_file_that_is_wrong_missing_or_too_many_is_put_right(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "messages.md"
    page.parent.mkdir()
    page.write_text(f"# Before\n{BEGIN}\n{END}\nAfter\n")
    first = write(tmp_path)
    assert len(first) == len(SPECS) + 2
    assert write(tmp_path) == []
    assert page.read_text().startswith("# Before\n")
    assert page.read_text().endswith("\nAfter\n")
    folder = tmp_path / "docs" / "schemas"
    (folder / "tick.schema.json").write_text("{}")
    (folder / "fill.schema.json").unlink()
    (folder / "gone.schema.json").write_text("{}")
    names = ["fill.schema.json", "gone.schema.json", "tick.schema.json"]
    assert stale(tmp_path) == [f"docs/schemas/{name}" for name in names]
    write(tmp_path)
    assert stale(tmp_path) == []
    page.write_text("# Without the marks\n")
    with pytest.raises(ValueError, match="lacks the lines"):
        stale(tmp_path)


# -- what the code makes --------------------------------------------------------------------------


def _dumped(model: BaseModel, **how: Any) -> Any:
    return json.loads(model.model_dump_json(**how))


@cache
def simulated() -> Run:
    """Return a crash that accounts with options and isolated positions have behind them."""
    run = Run(3, 60, options=True)
    run.play(220)
    return run


def _records() -> Iterator[tuple[str, Record]]:
    converted = Run(13, 30, changed=without_auto_borrow, reference=without_quota)
    converted.play(100)
    for run in (simulated(), converted):
        for topic, records in run.topics.items():
            yield from ((topic, record) for record in records)


def _of_topics() -> Iterator[tuple[str, Any]]:
    """Give what an engine and a simulated exchange put on their topics."""
    single = {spec.topic: spec.name for spec in MESSAGES}
    reference = {"currency", "instrument", "fees", "policy", "options", "portfolio", "set"}
    for topic, record in _records():
        # its heartbeats and dead letters are only outlined
        if topic in {"heartbeats", "dead-letters"}:
            continue
        name = single[topic]
        if topic == "reference":
            kind = (record.key or b"").decode().partition(":")[0]
            assert kind in reference
            name = f"reference-{kind}"
        yield name, json.loads(record.value or b"")


def _replies() -> Iterator[tuple[str, Any]]:
    """Give questions about every account, and the owner's answers as they travel."""
    engine = simulated().engine
    asked: dict[str, dict[str, Any]] = {
        "order": {"instrument": "BTC-USDT", "side": "buy", "quantity": "0.1"},
        "borrow": {"currency": "USDT", "amount": "10"},
        "withdrawal": {"currency": "BTC", "amount": "0.01"},
        "repay": {"currency": "USDT", "assets": ["BTC"]},
    }
    policy = engine.reference.policy
    for account_id, entry in engine.entries.items():
        account, figures = entry.account, engine.figures(account_id)
        shown = assessment(account, figures, policy, ())
        yield "assessment", _dumped(shown)
        reply = AssessmentAnswer(request_id="r", account_id=account_id, assessment=shown, ts=NOW)
        yield "assessment-reply", _dumped(reply, exclude_unset=True)
        for kind, fields in asked.items():
            question = QUESTIONS[kind].model_validate(fields)  # type: ignore[index]
            request = Inquiry(account_id=account_id, question=question).request("r", NOW)
            yield "request", _dumped(request)
            found = answer(account, question, engine.reference, engine.prices, None, engine.now)
            yield "check-answer", _dumped(found)
            whole = {name: getattr(found, name) for name in type(found).model_fields}
            yield (
                "check-reply",
                _dumped(CheckReply(request_id="r", ts=NOW, **whole), exclude_unset=True),
            )
    yield "request", _dumped(Inquiry(account_id="a").request("r", NOW))
    unanswered = Unanswered(request_id="r", account_id="a", error="not ready", ts=NOW)
    yield "unanswered", _dumped(unanswered, exclude_unset=True)


def _others() -> Iterator[tuple[str, Any]]:
    scene = debtor().hours(0).pass_hour()
    assert {notice.state for notice in scene.notices} == {"accrued", "deducted"}
    for notice in scene.notices:
        yield "interest", _dumped(notice)
    bad = BadRecord("fills", 3, 17, b"acc-1", b"{", "no JSON")
    yield "dead-letter", json.loads(dead_letter(bad, now=NOW))
    yield "dead-letter", json.loads(dead_letter(bad, now=NOW, account_id="acc-1"))
    for engine in (simulated().engine, None):
        beat = heartbeat("w", "starting", engine, (), lag=0, last_tick=None)
        yield "heartbeat", _dumped(beat)
    file = ROOT / "streams" / "simulator" / "reference.yaml"
    yield "reference-file", yaml.safe_load(file.read_text())
    yield "reference-options", {"BTC": {"a": "0.1", "b": "0.15", "c": "0.03"}}
    yield "reference-portfolio", [{"valid_from": "2025-01-06", "initial_factor": "1.3"}]
    rule = AlertRule.model_validate(
        {"channels": ["desk"], "kinds": ["reduction"], "minimum_notional_usd": "1000"}
    )
    yield "alert-rule", _dumped(rule, exclude_defaults=True)
    yield "alert-rule", _dumped(rule)
    yield "alert-rule-deleted", _dumped(DeletedRule(deleted=True))


@cache
def real() -> dict[str, list[Any]]:
    """Return messages by schema, as they stand on the topics."""
    found: dict[str, list[Any]] = {}
    for source in (_of_topics(), _replies(), _others()):
        for name, message in source:
            found.setdefault(name, []).append(message)
    return found


@pytest.mark.parametrize("name", SPECS)
def test_messages_of_the_code_are_valid(name: str) -> None:
    checking = validator(name)
    assert real()[name]
    for message in real()[name]:
        errors = [f"{error.json_path}: {error.message}" for error in checking.iter_errors(message)]
        assert errors == [], message


def test_the_crash_says_every_kind_of_command() -> None:
    assert {m["kind"] for m in real()["reduction"]} == {"reduction", "auto_exchange"}
    assert {m["state"] for m in real()["warning"]} == {"entered", "worsened", "cleared"}
    assert any(m["position"] for m in real()["reduction"])
    assert any(m["plan"] and m["plan"]["sales"] for m in real()["check-answer"])


# -- what the schemas refuse ----------------------------------------------------------------------


def _changed(message: Any, path: str, value: Any) -> Any:
    """Return a copy with one field replaced, or taken away by `...`."""
    made = deepcopy(message)
    *way, last = path.split(".")
    at = made
    for step in way:
        at = at[int(step) if step.isdigit() else step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return made


WRONG = [
    ("tick", "price", 60000.1),
    ("tick", "price", 60000),
    ("tick", "price", "0"),
    ("tick", "price", "6e4"),
    ("tick", "kind", "last"),
    ("tick", "ts", "1700000000000"),
    ("tick", "ts", ...),
    ("fill", "fill_id", ""),
    ("fill", "quantity", "-1"),
    ("order", "status", "lost"),
    ("account-settings", "snapshot.balances.0.cash", None),
    ("reduction", "actions", []),
    ("reduction", "actions.0.quantity", "0.00"),
    ("reduction", "phase", "soon"),
    ("reduction", "attempt", ...),
    ("reduction", "inputs.reference", ...),
    ("warning", "kind", "episode"),
    ("warning", "kind", ...),
    ("warning", "cause.kind", "whim"),
    ("order-cancel", "reason", "OC-9"),
    ("episode", "stale_prices", ...),
    ("heartbeat", "partitions", ["0"]),
    ("interest", "state", "paid"),
    ("request", "question.quantity", "0"),
    ("reference-policy", "confirm_secondz", "5"),
    ("alert-rule", "chanels", ["desk"]),
    ("alert-rule-deleted", "deleted", False),
]


@pytest.mark.parametrize(("name", "path", "value"), WRONG)
def test_a_schema_refuses_what_is_wrong(name: str, path: str, value: Any) -> None:
    good = real()[name][0]
    assert valid(name, good)
    assert not valid(name, _changed(good, path, value))


def test_unknown_fields_are_no_error() -> None:
    for name in ("tick", "account-settings", "reduction", "assessment"):
        assert valid(name, {**real()[name][0], "new_field": 1})


def test_a_request_carries_the_question_of_its_kind() -> None:
    wrong = {**real()["request"][0], "kind": "borrow"}
    assert not valid("request", wrong)
    assert valid("request", {**wrong, "question": {"currency": "BTC", "amount": "1"}})


# -- decimals and what is said of a field ---------------------------------------------------------

_TEXT = st.one_of(
    st.from_regex(r"-?[0-9]{1,4}(\.[0-9]{1,4})?", fullmatch=True),
    st.sampled_from(["", ".", "-", "+1", "1.", ".5", "1e3", "00.0", "0.10", "-0", "1.000", "१"]),
)


@pytest.mark.parametrize("kind", [Amount, Positive, NonNegative, Rate])
@given(text=_TEXT)
def test_what_a_schema_takes_as_a_decimal_the_model_takes_too(kind: Any, text: str) -> None:
    schema = json_schema(list[kind], "sparse")
    fits = jsonschema.Draft202012Validator(schema).is_valid([text])
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError:
        assert not fits
    else:
        # Published figures have digits on both sides of the point, and no plus sign.
        written = plain(Decimal(text))
        assert fits or text != written


def test_decimals_of_reference_entries_may_be_whole_numbers() -> None:
    schema = json_schema(list[Rate], "sparse", integers=True)
    checking = jsonschema.Draft202012Validator(schema)
    assert [checking.is_valid([value]) for value in ("0.5", 1, 0, 2, -1, 0.5)] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


def test_every_decimal_has_a_unit_and_every_unit_a_field() -> None:
    class Unknown(Message):
        weight: Amount

    with pytest.raises(MissingUnit, match=r"Unknown\.weight"):
        json_schema(Unknown, "full")
    names = {
        key
        for spec in SPECS.values()
        for part in nodes(schema_of(spec))
        for name, field in part.get("properties", {}).items()
        if isinstance(field, dict) and "x-unit" in field
        for key in (name, f"{part.get('title')}.{name}")
    }
    assert set(UNITS) - names == set()


def test_a_field_has_its_docstring_unit_and_rules() -> None:
    reduction = schema_of(SPECS["reduction"])
    capped = reduction["$defs"]["Action"]["properties"]["capped_usd"]
    assert capped["description"].startswith("RD-6: what was left")
    assert (capped["x-unit"], capped["x-rules"]) == ("USD", ["RD-6"])
    assert reduction["properties"]["expires_at"]["x-unit"] == "ms"
    assert reduction["x-rules"][:3] == ["ES-5", "RD-1", "RD-2"]
    assert rules_named("OC-1 to OC-3, and ES-4 or OC-2") == ["OC-1", "OC-2", "OC-3", "ES-4"]
    assert field_texts(Tick) == {}
    assert "position" in field_texts(SPECS["warning"].model)


def test_the_set_record_is_as_the_publisher_writes_it() -> None:
    assert set(ReferenceSet.model_fields) == {f.name for f in msgspec.structs.fields(SetRecord)}


# -- AsyncAPI -------------------------------------------------------------------------------------


@cache
def document() -> dict[str, Any]:
    found = yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text())
    assert isinstance(found, dict)
    return found


def _resolve(reference: str) -> Any:
    at: Any = document()
    for step in reference.removeprefix("#/").split("/"):
        at = at[step]
    return at


def test_every_reference_leads_somewhere() -> None:
    targets = {node["$ref"] for node in nodes(document()) if isinstance(node.get("$ref"), str)}
    assert len(targets) > 80
    for target in targets:
        assert target.startswith("#/")
        assert isinstance(_resolve(target), dict)


def test_channels_are_the_topics_with_their_settings() -> None:
    specs = {spec.name: spec for spec in topic_specs(Topics(), Settings().partitions, REPLICATION)}
    assert set(document()["channels"]) == set(TOPICS) == set(specs) - INTERNAL
    for topic, channel in document()["channels"].items():
        assert channel["address"] == topic
        kafka = channel["bindings"]["kafka"]
        assert (kafka["topic"], kafka["partitions"]) == (topic, specs[topic].partitions)
        told = {
            name: ",".join(value) if isinstance(value, list) else str(value)
            for name, value in kafka["topicConfiguration"].items()
        }
        assert {name: value.lower() for name, value in told.items()} == {
            name: value.lower() for name, value in specs[topic].config.items()
        }
        assert channel["messages"]


def test_operations_are_seen_from_liqmon() -> None:
    actions = {
        operation["channel"]["$ref"].rpartition("/")[2]: operation["action"]
        for operation in document()["operations"].values()
    }
    taken = {"ticks", "fills", "orders", "transfers", "accounts", "reference", "requests"}
    assert {topic for topic, action in actions.items() if action == "receive"} == taken | {
        "alert-rules"
    }
    assert {topic for topic, action in actions.items() if action == "send"} == {
        *COMMAND_TOPICS,
        "interest",
        "dead-letters",
        "heartbeats",
    }
    reply = document()["operations"]["receiveRequests"]["reply"]
    assert reply["channel"] == {"$ref": "#/channels/answers"}
    assert len(reply["messages"]) == 3


def test_every_command_has_its_headers() -> None:
    for topic in COMMAND_TOPICS:
        for message in document()["channels"][topic]["messages"].values():
            headers = _resolve(message["$ref"])["headers"]
            assert headers["required"] == ["command-id", "kind", "schema-version"]


@pytest.mark.parametrize("spec", MESSAGES, ids=lambda spec: spec.name)
def test_payloads_take_the_same_messages_as_the_schemas(spec: MessageSpec) -> None:
    message = document()["components"]["messages"][spec.name]
    schema = {**message["payload"], "components": document()["components"]}
    # The draft that AsyncAPI's own schemas extend.
    checking = jsonschema.Draft7Validator(schema)
    for real_message in real()[spec.name][:50]:
        assert checking.is_valid(real_message)
    for name, path, value in WRONG:
        if name == spec.name:
            assert not checking.is_valid(_changed(real()[name][0], path, value))


def _asyncapi_schema(folder: Path) -> dict[str, Any]:
    """Return the JSON Schema of AsyncAPI 3.0 documents, kept in the user's cache."""
    kept = cache_dir() / f"asyncapi-3.0.0-{ASYNCAPI_SPECS.rpartition('@')[2]}.json"
    if not kept.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("no npm on this machine to fetch AsyncAPI's own schema with")
        packed = subprocess.run(
            [npm, "pack", ASYNCAPI_SPECS, "--silent"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if packed.returncode != 0:
            pytest.skip(f"npm cannot fetch {ASYNCAPI_SPECS}: {packed.stderr.strip()[:200]}")
        with tarfile.open(folder / packed.stdout.strip()) as archive:
            inside = archive.extractfile("package/schemas/3.0.0.json")
            assert inside is not None
            text = inside.read()
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_suffix(f".{folder.name}")
        fresh.write_bytes(text)
        fresh.replace(kept)
    found = json.loads(kept.read_text())
    assert isinstance(found, dict)
    return found


def test_the_document_is_asyncapi_3(tmp_path: Path) -> None:
    checking = jsonschema.Draft7Validator(_asyncapi_schema(tmp_path))
    errors = [
        f"{error.json_path}: {error.message[:200]}" for error in checking.iter_errors(asyncapi())
    ]
    assert errors == []
    for path, value in (
        ("info.title", ...),
        ("channels.ticks.adress", "ticks"),
        ("operations.sendWarnings.action", "publish"),
        ("components.schemas.Tick.type", "decimal"),
    ):
        assert not checking.is_valid(_changed(document(), path, value)), path


# -- the pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["messages.md", "clients.md"])
def test_links_of_the_pages_lead_to_files(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    links = re.findall(r"\]\(([^)#:]+)(?:#[a-z-]+)?\)", text)
    assert len(links) > 5
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_the_messages_shown_in_the_pages_are_valid() -> None:
    text = (ROOT / "docs" / "clients.md").read_text()
    (shown,) = re.findall(r"```json\n(.+?)```", text, re.DOTALL)
    assert valid("request", json.loads(shown))


def test_code_shown_in_the_pages_compiles() -> None:
    blocks = re.findall(
        r"```python\n(.+?)```", (ROOT / "docs" / "clients.md").read_text(), re.DOTALL
    )
    assert len(blocks) == 2
    for block in blocks:
        compile(block, "clients.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
