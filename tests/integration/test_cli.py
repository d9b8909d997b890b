"""Commands as processes against the real broker."""

import json
import signal
import threading
from pathlib import Path

import pytest
from confluent_kafka import Producer

from streams.settings import Settings
from streams.topics import Topics, ensure
from tests.support.outputs import warning
from tests.support.processes import Liqmon

pytestmark = pytest.mark.integration

REFERENCE = 'currencies: {BTC: {}, USDT: {}}\npolicy: {warning: "3"}\n'


@pytest.fixture
def liqmon(kafka: str, topic_prefix: str, tmp_path: Path) -> Liqmon:
    env = {
        "LIQMON_BROKERS": kafka,
        "LIQMON_TOPIC_PREFIX": topic_prefix,
        "LIQMON_PARTITIONS": "2",
    }
    return Liqmon(tmp_path, env)


def test_topics_are_created_checked_and_reported(
    liqmon: Liqmon, kafka: str, topic_prefix: str
) -> None:
    code, out, _ = liqmon.run("topics", "--check")
    assert code == 1
    assert "missing" in out
    code, out, _ = liqmon.run("topics")
    assert code == 0
    assert f"{topic_prefix}fills" in out
    assert "created" in out
    code, out, _ = liqmon.run("topics", "--check")
    assert code == 0
    assert {line.split()[-1] for line in out.splitlines()[1:]} == {"ok"}


def test_a_reference_set_is_published(
    liqmon: Liqmon, kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    ensure(Settings(brokers=kafka, topic_prefix=topic_prefix, partitions=2))
    (tmp_path / "reference.yaml").write_text(REFERENCE)
    code, out, err = liqmon.run("reference", "publish", "reference.yaml")
    assert (code, err) == (0, "")
    assert "3 entries, 3 changed" in out
    (tmp_path / "reference.yaml").write_text(REFERENCE.replace("BTC: {}, ", ""))
    code, out, _ = liqmon.run("reference", "publish", "reference.yaml")
    assert code == 0
    assert "removed currency:BTC" in out
    (tmp_path / "reference.yaml").write_text(REFERENCE.replace('"3"', '"0"'))
    code, out, err = liqmon.run("reference", "publish", "reference.yaml")
    assert (code, out) == (1, "")
    assert "reference.yaml:2: policy" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watch_follows_and_ends_in_order(
    liqmon: Liqmon, kafka: str, topic_prefix: str, number: signal.Signals
) -> None:
    settings = Settings(brokers=kafka, topic_prefix=topic_prefix, partitions=2)
    ensure(settings)
    process = liqmon.start("watch", "--json", "--kind", "warning", "--account", "b", "--from-start")
    guard = threading.Timer(60, process.kill)
    guard.start()
    try:
        producer = Producer({"bootstrap.servers": kafka})
        for message in (warning(1, account_id="a"), warning(2, account_id="b")):
            producer.produce(
                Topics(topic_prefix).warnings,
                message.model_dump_json().encode(),
                key=message.account_id,
            )
        producer.flush()
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["command_id"] == "w-2"
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "")
        assert "Traceback" not in err
    finally:
        guard.cancel()
        process.kill()
        process.wait()


def test_verify_says_which_topics_are_missing(liqmon: Liqmon) -> None:
    code, out, err = liqmon.run("verify")
    assert (code, out) == (1, "")
    assert "do not exist" in err
    assert "Traceback" not in err


def test_simulate_says_which_topics_are_missing(liqmon: Liqmon) -> None:
    code, out, err = liqmon.run("simulate", "--accounts", "5")
    assert (code, out) == (1, "")
    assert "no topic" in err
    assert "Traceback" not in err


def test_replay_publishes_and_warns_of_a_time_scale_that_does_not_fit(
    liqmon: Liqmon,
    kafka: str,
    topic_prefix: str,
    tmp_path: Path,
) -> None:
    ensure(Settings(brokers=kafka, topic_prefix=topic_prefix, partitions=2))
    rows = ["symbol,ts_ns,price"]
    rows += [f"BTC-USDT,{(1_700_000_000 + n) * 10**9},{60000 + n}.5" for n in range(20)]
    (tmp_path / "ticks.csv").write_text("\n".join(rows) + "\n")
    liqmon.environment["LIQMON_CLOCK"] = "event"
    code, out, err = liqmon.run("replay", "ticks.csv", "--speed", "100", "--raw")
    assert code == 0, err
    assert "own: 20 points of 1 series, 0 interpolated" in out
    assert "time_scale_differs" in err
