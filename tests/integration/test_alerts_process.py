"""`liqmon alerts` as a process, with real channels on the real broker."""

import asyncio
import contextlib
import json
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from confluent_kafka import Producer

from monitor.schema import Command
from streams.settings import Settings
from streams.topics import Topics, ensure
from tests.support.alerting import PARTITIONS, Desk, committed, settings_for
from tests.support.alerts import warned
from tests.support.processes import Liqmon

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> Settings:
    found = settings_for(kafka, topic_prefix)
    ensure(found)
    return found


def alerts(settings: Settings, folder: Path, **channels: str) -> Liqmon:
    """`liqmon alerts …` with these channels."""
    env = {
        "LIQMON_BROKERS": settings.brokers,
        "LIQMON_TOPIC_PREFIX": settings.topic_prefix,
        "LIQMON_PARTITIONS": str(PARTITIONS),
        "LIQMON_SESSION_TIMEOUT": "2",
        "LIQMON_HEARTBEAT_INTERVAL": "0.5",
        "LIQMON_REDIS_URL": "none",
        "LIQMON_CLOCK": "event",
        "LIQMON_ALERT_FIRST_PAUSE": "0.1",
        "LIQMON_ALERT_CHANNELS": json.dumps(channels) if channels else "",
    }
    return Liqmon(folder, env, "alerts")


def test_each_channel_says_whether_a_test_message_came(
    settings: Settings, desks: Callable[[], Desk], tmp_path: Path
) -> None:
    up, down = desks(), desks()
    down.status = 403
    liqmon = alerts(
        settings, tmp_path, up=up.url, down=f"{down.url}secret-path", away="json://127.0.0.1:1"
    )
    code, out, err = liqmon.run("test")
    away, refused, delivered = out.splitlines()
    assert code == 1
    assert delivered == "up    JSON: delivered"
    assert refused.startswith("down  JSON: NOT delivered: ")
    assert "403" in refused
    assert away.startswith("away  JSON: NOT delivered: ")
    assert "secret" not in out + err
    assert up.titles == ["liqmon: a test of this channel"]
    assert liqmon.run("test", "--channel", "up")[0] == 0
    assert liqmon.run("test", "--channel", "other")[0] == 2
    code, _, err = alerts(settings, tmp_path).run("test")
    assert code == 2
    assert "LIQMON_ALERT_CHANNELS" in err


def test_a_killed_process_goes_on_where_it_was(
    settings: Settings, desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "rules.yaml").write_text("rules: {all: {channels: [desk, phone]}}")
    liqmon = alerts(settings, tmp_path, desk=desk.url)
    code, out, err = liqmon.run("publish", "rules.yaml")
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == ["no address in this environment for: phone"]
    topic = Topics(settings.topic_prefix).warnings
    producer = Producer({"bootstrap.servers": settings.brokers})

    def send(*commands: Command) -> None:
        for command in commands:
            producer.produce(topic, command.model_dump_json().encode(), key=command.account_id)
        producer.flush()

    def wait(count: int) -> None:
        deadline = time.monotonic() + 40
        while len(desk.taken) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(desk.taken) == count

    def follow(process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        for line in process.stderr:
            if "alerts_following" in line:
                return
        raise AssertionError("the process ended")

    with _free_port() as port:
        pass
    process = liqmon.start("run", "--metrics-port", str(port))
    guard = threading.Timer(90, process.kill)
    guard.start()
    try:
        follow(process)
        send(warned("a"), warned("b"))
        wait(2)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            metrics = answer.read().decode()
        assert 'liqmon_alerts_delivered_total{channel="desk",form="single"} 2.0' in metrics
        while asyncio.run(committed(settings, "desk", "warnings")) < 2:
            time.sleep(0.05)
        process.kill()
        process.communicate()
        send(warned("c"), warned("b"))
        process = liqmon.start("run")
        follow(process)
        wait(3)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "Traceback" not in err
        assert sorted(desk.accounts) == ["a", "b", "c"]
    finally:
        guard.cancel()
        process.kill()
        process.communicate()


@contextlib.contextmanager
def _free_port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        yield server.server_port
