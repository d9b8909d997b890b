"""Settings: from the environment, and clear when wrong."""

from pathlib import Path

import pytest

from streams.connection import confluent_config, faust_broker, kafka_client, redis_client
from streams.settings import PREFIX, Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)


def test_environment_wins_over_the_file_and_overrides_over_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("LIQMON_PARTITIONS=3\nLIQMON_TOPIC_PREFIX=a.\nOTHER=1\n")
    monkeypatch.setenv("LIQMON_TOPIC_PREFIX", "b.")
    found = load_settings(clock="event", brokers=None)
    assert (found.partitions, found.topic_prefix, found.clock) == (3, "b.", "event")
    assert found.brokers == "127.0.0.1:9092"


def test_two_workers_never_have_the_same_id() -> None:
    assert Settings().worker_id != Settings().worker_id


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("BROKERS", "localhost", "'localhost' is not host:port"),
        ("BROKERS", "a:1,b:99999", "'b:99999' is not host:port"),
        ("BROKERS", "kafka://a:1", "is not host:port"),
        ("REDIS_URL", "http://x", "not redis://"),
        ("REDIS_URL", "redis://x:y", "the port is wrong"),
        ("TOPIC_PREFIX", "a b", "pattern"),
        ("PARTITIONS", "0", "greater than or equal to 1"),
        ("CLOCK", "moon", "'wall' or 'event'"),
        ("INTAKE", "confluent", "'faust' or 'aiokafka'"),
        ("SSL_CAFILE", "missing.pem", "there is no such file"),
        ("SESSION_TIMEOUT", "1", "HEARTBEAT_INTERVAL=1: at most a third"),
        ("SECURITY_PROTOCOL", "SASL_SSL", "needs LIQMON_SASL_USERNAME"),
        ("WORKER_ID", "a b", "pattern"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    (error,) = refused.value.errors
    assert f"{PREFIX}{name}={value}" in error
    assert reason in error


def test_all_wrong_values_are_named_at_once_and_no_secret_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIQMON_CLOCK", "moon")
    monkeypatch.setenv("LIQMON_PARTITIONS", "many")
    monkeypatch.setenv("LIQMON_REDIS_URL", "http://user:hush@x")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert len(refused.value.errors) == 3
    assert "hush" not in str(refused.value)


def test_secrets_do_not_show_in_a_printout() -> None:
    secrets = dict.fromkeys(("sasl_password", "api_token", "redis_password"), "hush")
    assert "hush" not in repr(load_settings(**secrets))


def test_one_set_of_settings_serves_every_client_library() -> None:
    found = load_settings(
        brokers="a:1, b:2",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="me",
        **dict.fromkeys(["sasl_password"], "hush"),
    )
    client = kafka_client(found)
    assert client["bootstrap_servers"] == "a:1,b:2"
    assert (client["sasl_plain_username"], client["sasl_plain_password"]) == ("me", "hush")
    assert client["ssl_context"].check_hostname
    config = confluent_config(found, producer=True)
    assert config["partitioner"] == "murmur2_random"
    assert (config["sasl.mechanism"], config["sasl.password"]) == ("SCRAM-SHA-512", "hush")
    url, credentials = faust_broker(found)
    assert url == "kafka://a:1;b:2"
    assert credentials is not None
    assert credentials.protocol.value == "SASL_SSL"


def test_plain_connections_carry_no_credentials() -> None:
    found = load_settings()
    assert kafka_client(found) == {
        "bootstrap_servers": "127.0.0.1:9092",
        "security_protocol": "PLAINTEXT",
    }
    assert faust_broker(found) == ("kafka://127.0.0.1:9092", None)


def test_redis_can_be_left_out() -> None:
    assert redis_client(load_settings(redis_url="none")) is None
    assert redis_client(load_settings(redis_url="rediss://x:1/2", redis_username="me")) is not None
