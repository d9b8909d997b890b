"""Exit 0 when this container's worker has published a heartbeat within the last minute.

The topic is asked, and not Redis: a worker goes on without Redis and must not be called unhealthy
for its absence. Needs LIQMON_WORKER_ID, which names the worker in its heartbeats.
"""

import os
import sys
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.connection import confluent_config
from streams.settings import SettingsError, load_settings

_RECENT_SECONDS = 60
_TIMEOUT_SECONDS = 15


def beats(worker: str) -> bool:
    """Whether `heartbeats` holds a recent record of this worker; raises KafkaException."""
    settings = load_settings()
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    consumer = Consumer(
        {
            **confluent_config(settings),
            "group.id": "unused",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        topic = f"{settings.topic_prefix}heartbeats"
        partitions = consumer.list_topics(topic, _TIMEOUT_SECONDS).topics[topic].partitions
        since = int((time.time() - _RECENT_SECONDS) * 1000)
        wanted = [TopicPartition(topic, number, since) for number in partitions]
        starts = consumer.offsets_for_times(wanted, _TIMEOUT_SECONDS)
        # A negative offset: nothing that recent in the partition.
        open_ = {start.partition for start in starts if start.offset >= 0}
        consumer.assign([start for start in starts if start.offset >= 0])
        while open_ and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is None:
                continue
            if message.error() is not None:
                open_.discard(message.partition())
            elif message.key() == worker.encode():
                return True
        return False
    finally:
        consumer.close()


def main() -> int:
    """Say why on standard error when unhealthy."""
    worker = os.environ.get("LIQMON_WORKER_ID")
    if not worker:
        sys.stderr.write("LIQMON_WORKER_ID is not set\n")
        return 1
    try:
        healthy = beats(worker)
    except (KafkaException, SettingsError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not healthy:
        sys.stderr.write(f"no heartbeat of {worker} within {_RECENT_SECONDS} s\n")
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
