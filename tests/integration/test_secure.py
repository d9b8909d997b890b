"""TLS and SASL to a real Kafka, TLS and a user of its own to a real Redis."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from redis.asyncio import Redis

from streams.embedded import Kafka, Services
from streams.embedded.process import LOOPBACK, free_port
from streams.settings import Settings
from tests.support.bus import (
    REFERENCE,
    Bus,
    account_message,
    ready,
)
from tests.support.processes import Command

pytestmark = pytest.mark.integration

USER, PASSWORD = "liqmon", "a password of this test"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a CA's certificate, and a server's key and certificates in one PEM file."""
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    server = ca.issue_cert(LOOPBACK, "localhost")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    key = load_pem_private_key(server.private_key_pem.bytes(), None)
    # Java reads PKCS #8 alone.
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = b"".join(part.bytes() for part in server.cert_chain_pems)
    (folder / "server.pem").write_bytes(pem + chain)
    return folder / "ca.pem", folder / "server.pem"


@pytest.fixture(scope="module")
def secure_kafka(
    authority: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Kafka, int]]:
    """A broker with a SASL_SSL listener beside the plain one, and the listener's port."""
    _, server = authority
    port = free_port()
    settings = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(server),
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }
    folder = tmp_path_factory.mktemp("secure")
    with Kafka(folder, listeners={"SASL_SSL": port}, settings=settings) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        user = UserScramCredentialUpsertion(USER, scram, PASSWORD.encode())
        for done in admin.alter_user_scram_credentials([user]).values():
            done.result(timeout=30)
        yield broker, port


@pytest.fixture
async def secure_redis(
    services: Services, authority: tuple[Path, Path], topic_prefix: str
) -> AsyncIterator[str]:
    """A TLS address of the shared Redis, with a user that may touch liqmon's keys alone."""
    async with Redis.from_url(services.redis.url) as redis:
        await redis.acl_setuser(
            USER,
            enabled=True,
            passwords=[f"+{PASSWORD}"],
            keys=["liqmon:*", "{liqmon:*"],
            categories=["+@all", "-@admin", "-@dangerous"],
            commands=["+info"],
        )
        # The server in the wheel is built without TLS; in front of it stands what often does.
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(authority[1])

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            behind = await asyncio.open_connection(LOOPBACK, services.redis.port)
            await asyncio.gather(
                forward(reader, behind[1]), forward(behind[0], writer), return_exceptions=True
            )

        server = await asyncio.start_server(serve, LOOPBACK, 0, ssl=context)
        yield f"rediss://{LOOPBACK}:{server.sockets[0].getsockname()[1]}/0"
        server.close()
        await redis.acl_deluser(USER)


def environment(kafka_port: int, prefix: str, ca: Path, password: str) -> dict[str, str]:
    return {
        "LIQMON_BROKERS": f"{LOOPBACK}:{kafka_port}",
        "LIQMON_SECURITY_PROTOCOL": "SASL_SSL",
        "LIQMON_SASL_MECHANISM": "SCRAM-SHA-512",
        "LIQMON_SASL_USERNAME": USER,
        "LIQMON_SASL_PASSWORD": password,
        "LIQMON_SSL_CAFILE": str(ca),
        "LIQMON_TOPIC_PREFIX": prefix,
        "LIQMON_PARTITIONS": "2",
    }


async def ended(command: Command) -> int:
    return await asyncio.to_thread(command.wait, 60)


async def until_shown(redis: Redis, account: str) -> bool:
    """Say whether the account appears in Redis, written as the user of its own."""
    for _ in range(300):
        if await redis.exists(f"liqmon:account:{account}"):
            return True
        await asyncio.sleep(0.1)
    return False


@pytest.mark.intake
async def test_a_worker_signs_in_over_tls_everywhere(
    secure_kafka: tuple[Kafka, int],
    secure_redis: str,
    services: Services,
    authority: tuple[Path, Path],
    topic_prefix: str,
    tmp_path: Path,
) -> None:
    broker, port = secure_kafka
    env = environment(port, topic_prefix, authority[0], PASSWORD) | {
        "LIQMON_REDIS_URL": secure_redis,
        "LIQMON_REDIS_USERNAME": USER,
        "LIQMON_REDIS_PASSWORD": PASSWORD,
        "LIQMON_REDIS_SSL_CAFILE": str(authority[0]),
        "LIQMON_DATA_DIR": str(tmp_path / "data"),
    }
    reference = tmp_path / "reference.json"
    reference.write_text(json.dumps(REFERENCE))
    with Command("topics", tmp_path, env, "topics") as command:
        assert await ended(command) == 0, command.tail
    with Command("publish", tmp_path, env, "reference", "publish", str(reference)) as command:
        assert await ended(command) == 0, command.tail
    bus = Bus(Settings(brokers=broker.bootstrap, topic_prefix=topic_prefix, partitions=2))
    await bus.start()
    try:
        with Command("worker", tmp_path, env, "worker"):
            await bus.tick("USDT-USD", "index", "1")
            await bus.btc("50000")
            await bus.send("accounts", "alice", account_message("alice", "1000", "20"))
            await bus.until(ready)
            await bus.btc("45300")
            warning = (await bus.until(lambda m: m["kind"] == "warning"))[0]
            async with Redis.from_url(services.redis.url) as redis:
                users = {client["user"] for client in await redis.client_list()}
                shown = await until_shown(redis, warning["account_id"])
    finally:
        await bus.stop()

    assert warning["account_id"] == "alice"
    assert shown
    assert USER in users


async def test_a_wrong_password_is_named(
    secure_kafka: tuple[Kafka, int],
    authority: tuple[Path, Path],
    topic_prefix: str,
    tmp_path: Path,
) -> None:
    env = environment(secure_kafka[1], topic_prefix, authority[0], "wrong")
    with Command("topics", tmp_path, env, "topics") as command:
        assert await ended(command) == 1
        said = command.tail

    assert "authentication" in said.lower()
    assert "wrong" not in said
