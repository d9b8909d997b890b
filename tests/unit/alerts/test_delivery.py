"""Addresses from the environment, attempts with growing pauses, what may be committed."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from pydantic import SecretStr

from streams.alerts.channels import AppriseChannel, Delivery, open_channels
from streams.alerts.metrics import AlertMetrics
from streams.alerts.progress import Progress
from streams.alerts.settings import (
    ALERT_SETTINGS,
    AlertSettings,
    channel_addresses,
    load_alert_settings,
)
from streams.alerts.words import Text
from streams.settings import SettingsError
from tests.support.alerts import FakeChannel

TEXT = Text("title", "body", "warning")
QUICK = AlertSettings(alert_attempts=4, alert_first_pause=0.01, alert_longest_pause=0.02)


@pytest.fixture
def no_file(tmp_path: Path) -> Path:
    return tmp_path / "none"


def addresses(environment: Mapping[str, str], file: Path) -> dict[str, str]:
    found = channel_addresses(environment, file)
    return {name: address.get_secret_value() for name, address in found.items()}


def test_channels_come_from_one_variable_or_one_each(no_file: Path) -> None:
    environment = {
        "LIQMON_ALERT_CHANNELS": json.dumps({"desk": "json://127.0.0.1:1/"}),
        "LIQMON_ALERT_CHANNEL_RISK_NIGHT": "json://127.0.0.1:2/",
        "LIQMON_ALERT_CHANNEL_EMPTY": "",
        "OTHER": "x",
    }
    assert addresses(environment, no_file) == {
        "desk": "json://127.0.0.1:1/",
        "risk-night": "json://127.0.0.1:2/",
    }
    assert addresses({}, no_file) == {}


def test_the_environment_goes_before_the_env_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("LIQMON_ALERT_CHANNEL_DESK=json://file/\nLIQMON_ALERT_CHANNEL_B=json://b/\n")
    assert addresses({"LIQMON_ALERT_CHANNEL_DESK": "json://here/"}, file) == {
        "b": "json://b/",
        "desk": "json://here/",
    }


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"LIQMON_ALERT_CHANNELS": "slack://secret"}, "a JSON object"),
        ({"LIQMON_ALERT_CHANNELS": '["slack://secret"]'}, "a JSON object"),
        ({"LIQMON_ALERT_CHANNELS": '{"The Desk": "slack://secret"}'}, "The Desk"),
        ({"LIQMON_ALERT_CHANNELS": '{"desk": ["slack://secret"]}'}, "desk"),
        (
            {
                "LIQMON_ALERT_CHANNELS": '{"desk": "slack://secret"}',
                "LIQMON_ALERT_CHANNEL_DESK": "slack://secret",
            },
            "too",
        ),
        ({"LIQMON_ALERT_CHANNEL_": "slack://secret"}, "no name"),
    ],
)
def test_what_is_wrong_is_named_and_no_address_is(
    environment: dict[str, str], said: str, no_file: Path
) -> None:
    with pytest.raises(SettingsError, match=said) as raised:
        channel_addresses(environment, no_file)
    assert "secret" not in str(raised.value)


def test_an_address_that_apprise_cannot_use_is_named_by_its_channel_only() -> None:
    with pytest.raises(SettingsError) as raised:
        open_channels({"a": SecretStr("nonsense://secret"), "b": SecretStr("slack://secret")})
    assert [error.split(":")[0] for error in raised.value.errors] == [
        "the channel a",
        "the channel b",
    ]
    assert "secret" not in str(raised.value)


def test_a_setting_out_of_range_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIQMON_ALERT_ATTEMPTS", "0")
    with pytest.raises(SettingsError, match="LIQMON_ALERT_ATTEMPTS=0"):
        load_alert_settings()


def test_every_setting_is_described_with_its_default() -> None:
    fields = {name: f"{field.default}" for name, field in AlertSettings.model_fields.items()}
    described = {name: default for name, (default, _) in ALERT_SETTINGS.items()}
    assert described.keys() - fields.keys() == {"alert_channels", "alert_channel_<name>"}
    for name, default in fields.items():
        assert described[name] in (default, default.removesuffix(".0"))


async def test_a_refused_connection_is_the_reason() -> None:
    channel = AppriseChannel("desk", SecretStr("json://user:secret@127.0.0.1:1/"))
    reason = await channel.send(TEXT)
    assert reason is not None
    assert "onnection" in reason
    assert "secret" not in reason


async def test_a_channel_that_recovers_gets_the_message_once() -> None:
    channel, metrics = FakeChannel(reasons=["down", "down"]), AlertMetrics()
    assert await Delivery(channel, QUICK, metrics, asyncio.Event()).deliver(TEXT) is True
    assert (channel.attempts, channel.taken) == (3, [TEXT])
    value = metrics.registry.get_sample_value
    labels = {"channel": "desk"}
    assert value("liqmon_alerts_failed_attempts_total", labels) == 2
    assert value("liqmon_alerts_channel_up", labels) == 1
    assert value("liqmon_alerts_given_up_total", labels) is None


async def test_the_attempts_are_bounded_and_giving_up_is_counted() -> None:
    channel, metrics = FakeChannel(reasons=["down"] * 10), AlertMetrics()
    assert await Delivery(channel, QUICK, metrics, asyncio.Event()).deliver(TEXT) is False
    assert channel.attempts == 4
    value = metrics.registry.get_sample_value
    assert value("liqmon_alerts_given_up_total", {"channel": "desk"}) == 1
    assert value("liqmon_alerts_channel_up", {"channel": "desk"}) == 0


async def test_pauses_double_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    wait_for = asyncio.wait_for

    async def noted(waiting: object, pause: float) -> object:
        pauses.append(pause)
        return await wait_for(waiting, 0)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "wait_for", noted)
    settings = AlertSettings(alert_attempts=6, alert_first_pause=1, alert_longest_pause=5)
    channel = FakeChannel(reasons=["down"] * 10)
    await Delivery(channel, settings, AlertMetrics(), asyncio.Event()).deliver(TEXT)
    assert pauses == [1, 2, 4, 5, 5]


async def test_told_to_stop_it_leaves_the_message_to_the_next_start() -> None:
    stop = asyncio.Event()
    slow = AlertSettings(alert_first_pause=60)
    channel = FakeChannel(reasons=["down"] * 10)
    trying = asyncio.ensure_future(Delivery(channel, slow, AlertMetrics(), stop).deliver(TEXT))
    await asyncio.sleep(0.05)
    assert channel.attempts == 1
    stop.set()
    async with asyncio.timeout(5):
        assert await trying is None
    # while stopping there is one attempt still: what is gathered is told if it can be
    assert await Delivery(FakeChannel(), slow, AlertMetrics(), stop).deliver(TEXT) is True
    assert await Delivery(channel, slow, AlertMetrics(), stop).deliver(TEXT) is None


async def test_a_plugin_that_breaks_is_a_failed_attempt() -> None:
    class Broken(FakeChannel):
        async def send(self, text: Text) -> str | None:
            if not self.attempts:
                self.attempts += 1
                raise RuntimeError("https://secret")
            return await super().send(text)

    assert await Delivery(Broken(), QUICK, AlertMetrics(), asyncio.Event()).deliver(TEXT) is True


def test_what_is_gathered_pins_its_place() -> None:
    a, b = TopicPartition("warnings", 0), TopicPartition("warnings", 1)
    progress = Progress({a: 5, b: 9})
    assert progress.take() == {}
    progress.done(a, 5)
    progress.pin("crowd", a, 6)
    progress.done(a, 6)
    progress.done(a, 7)
    progress.pin("crowd", a, 8)
    progress.done(a, 8)
    progress.done(b, 20)
    assert progress.take() == {a: 6, b: 21}
    assert progress.take() == {}
    progress.unpin("crowd")
    assert progress.take() == {a: 9}
    progress.unpin("crowd")
