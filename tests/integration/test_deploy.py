"""What the image and the Compose file rely on, against a real broker and a real Redis."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from streams.cache_scripts import (
    BANDS_KEY,
    BANDS_PARTITIONS_KEY,
    COMMANDS_KEY,
    RATIOS_EPOCHS_KEY,
    RATIOS_KEY,
    WORKERS_KEY,
    account_key,
)
from streams.embedded import Redis

pytestmark = pytest.mark.integration

_ROOT = Path(__file__).resolve().parents[2]
_HEALTHCHECK = _ROOT / "deploy" / "docker" / "healthcheck.py"


def _health(bootstrap: str, prefix: str) -> int:
    return subprocess.run(
        [sys.executable, str(_HEALTHCHECK)],
        env={
            **os.environ,
            "LIQMON_BROKERS": bootstrap,
            "LIQMON_TOPIC_PREFIX": prefix,
            "LIQMON_WORKER_ID": "worker-1",
        },
        check=False,
    ).returncode


def test_container_is_healthy_once_its_own_worker_beats(kafka: str, topic_prefix: str) -> None:
    assert _health(kafka, topic_prefix) == 1  # the topic is not there yet
    topic = topic_prefix + "heartbeats"
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topic, b"{}", key=b"worker-2")
    assert producer.flush(30) == 0
    assert _health(kafka, topic_prefix) == 1
    producer.produce(topic, b"{}", key=b"worker-1")
    assert producer.flush(30) == 0
    assert _health(kafka, topic_prefix) == 0


def test_redis_user_of_compose_may_touch_the_keys_of_the_cache_and_no_more(tmp_path: Path) -> None:
    found = re.search(
        r"\\nuser liqmon on >%s (.*?)\\n'", (_ROOT / "docker-compose.yml").read_text()
    )
    assert found is not None
    with Redis(tmp_path) as server:
        redis.Redis.from_url(server.url).execute_command(  # type: ignore[no-untyped-call]
            "ACL", "SETUSER", "liqmon", "on", ">secret", *found[1].split()
        )
        client = redis.Redis.from_url(server.url, username="liqmon", password="secret")
        assert client.ping()
        for key in (account_key("a"), BANDS_KEY, BANDS_PARTITIONS_KEY, RATIOS_EPOCHS_KEY):
            client.hset(key, "field", "value")
        client.hset(WORKERS_KEY, "worker", "value")
        client.zadd(RATIOS_KEY, {"a": 1})
        client.xadd(COMMANDS_KEY, {"field": "value"}, maxlen=10)
        assert client.eval("return redis.call('ZCARD', KEYS[1])", 1, RATIOS_KEY) == 1
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.set("other", "value")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.flushall()
