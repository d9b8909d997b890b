"""The embedded Kafka and Redis: start, restart on the same data, and death with the parent."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
import redis
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from streams.embedded import Kafka, Redis, Services, StartError

pytestmark = pytest.mark.integration

_EIGHT_MEGABYTES = 8 * 1024 * 1024


def _create_topic(bootstrap: str, topic: str, config: dict[str, str] | None = None) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1, config=config or {})])[topic].result(30)


def _produce(bootstrap: str, topic: str, value: bytes) -> None:
    failures: list[object] = []
    producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 10_000_000})
    producer.produce(topic, value, on_delivery=lambda error, _: failures.append(error))
    assert producer.flush(30) == 0
    assert failures == [None]


def _read_first(bootstrap: str, topic: str) -> bytes | None:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(30)
    consumer.close()
    assert message is not None
    value: bytes | None = message.value()
    return value


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _await_death(pids: list[int]) -> list[int]:
    """Return the processes that are still there after 20 s."""
    for _ in range(200):
        if not (left := [pid for pid in pids if _alive(pid)]):
            break
        time.sleep(0.1)
    return left


def test_topic_may_hold_records_of_eight_megabytes(kafka: str, topic_prefix: str) -> None:
    topic = topic_prefix + "large"
    _create_topic(kafka, topic, {"max.message.bytes": str(_EIGHT_MEGABYTES)})
    value = os.urandom(_EIGHT_MEGABYTES - 1024)
    _produce(kafka, topic, value)
    assert _read_first(kafka, topic) == value


def test_broker_stamps_records_with_its_own_time(kafka: str, topic_prefix: str) -> None:
    topic = topic_prefix + "stamped"
    _create_topic(kafka, topic)
    admin = AdminClient({"bootstrap.servers": kafka})
    resource = ConfigResource(ResourceType.TOPIC, topic)
    config = admin.describe_configs([resource])[resource].result(30)
    assert config["message.timestamp.type"].value == "LogAppendTime"


def test_topics_are_never_made_by_accident(kafka: str, topic_prefix: str) -> None:
    topic = topic_prefix + "misspelt"
    metadata = AdminClient({"bootstrap.servers": kafka}).list_topics(topic, timeout=30)
    assert metadata.topics[topic].error is not None


def test_both_listen_on_loopback_only(services: Services) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # No packet is sent: this only asks which address this machine would send from.
        probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
    for port in (services.kafka.port, services.redis.port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=5)


def test_tests_get_databases_of_their_own(services: Services, redis_url: str) -> None:
    redis.Redis.from_url(redis_url).set("key", "value")
    assert redis.Redis.from_url(services.redis.url).get("key") is None


@pytest.mark.faults
def test_kafka_killed_comes_back_with_its_data_on_its_port(private_kafka: Kafka) -> None:
    _create_topic(private_kafka.bootstrap, "kept")
    _produce(private_kafka.bootstrap, "kept", b"before")
    before = private_kafka.bootstrap
    private_kafka.kill()
    assert not private_kafka.running
    private_kafka.start()
    assert private_kafka.bootstrap == before
    assert _read_first(before, "kept") == b"before"


@pytest.mark.faults
def test_redis_pauses_stops_and_starts_again_on_its_port(tmp_path: Path) -> None:
    with Redis(tmp_path) as server:
        client = redis.Redis.from_url(server.url, socket_timeout=0.3, retry=None)
        assert client.ping()
        server.pause()
        with pytest.raises(redis.exceptions.TimeoutError):
            client.ping()
        server.resume()
        client.close()
        url = server.url
        server.stop()
        with pytest.raises(redis.exceptions.ConnectionError):
            client.ping()
        server.start()
        assert server.url == url
        assert client.ping()


def test_start_on_a_taken_port_says_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for server in (Redis(tmp_path, port=port), Kafka(tmp_path, port=port)):
            with pytest.raises(StartError, match=f"port {port} .*already in use"):
                server.start()
            assert not server.running


def test_start_error_names_the_log_and_shows_its_end(tmp_path: Path) -> None:
    broker = Kafka(tmp_path, settings={"process.roles": "nonsense"})
    with pytest.raises(StartError, match="nonsense") as failure:
        broker.start()
    assert str(broker.log) in str(failure.value)
    assert not broker.running


def test_cluster_id_may_begin_with_a_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.embedded.kafka.uuid.uuid4", lambda: uuid.UUID(bytes=b"\xf8" * 16))
    with Kafka(tmp_path) as broker:
        assert broker.running
    properties = (tmp_path / "kafka" / "meta.properties").read_text()
    assert "cluster.id=-Pj4" in properties


_PARENT = """
import sys, pathlib, threading, time
from streams.embedded import Services
services = Services(pathlib.Path(sys.argv[1]))
# Started from a thread that ends: only the death of the process may end the services.
thread = threading.Thread(target=services.start)
thread.start()
thread.join()
print(services.kafka.pid, services.redis.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.faults
def test_both_die_with_their_parent_even_when_that_gets_sigkill(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        try:
            pids = [int(word) for word in parent.stdout.readline().split()]
            assert len(pids) == 2
            assert all(map(_alive, pids))
        finally:
            parent.kill()
    assert _await_death(pids) == []


def test_services_prints_one_line_and_ends_on_a_signal(tmp_path: Path) -> None:
    program = "import sys; from streams.embedded.service import serve; sys.exit(serve())"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        try:
            addresses = json.loads(process.stdout.readline())
            assert set(addresses) == {"kafka", "redis"}
            assert redis.Redis.from_url(addresses["redis"]).ping()
        finally:
            process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(30) == 0
    assert rest == ""
    assert list(tmp_path.iterdir()) == []
