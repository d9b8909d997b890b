"""A real worker's /metrics, /healthz and /readyz, and a standstill of the real broker's offsets."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.metrics import METRICS
from streams.settings import Settings
from tests.support.bus import (
    REFERENCE,
    Bus,
    about,
    account_message,
    opened,
    publish_reference,
    ready,
    worker_environment,
)
from tests.support.processes import Command

pytestmark = [pytest.mark.integration, pytest.mark.intake]

ACCOUNT = "alice"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=15) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (urllib.error.URLError, ConnectionError):
        return 0, ""


def scrape(port: int) -> Samples:
    status, text = get(port, "/metrics")
    assert status == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def until_status(port: int, path: str, status: int) -> str:
    async with asyncio.timeout(60):
        while True:
            found, text = await asyncio.to_thread(get, port, path)
            if found == status:
                return text
            await asyncio.sleep(0.1)


async def until(port: int, wanted: Any) -> Samples:
    async with asyncio.timeout(60):
        while True:
            found = await asyncio.to_thread(scrape, port)
            if wanted(found):
                return found
            await asyncio.sleep(0.2)


@pytest.fixture
async def bus(settings: Settings, tmp_path: Path) -> AsyncIterator[Bus]:
    async with opened(settings, tmp_path, None) as found:
        yield found


class Collector(BaseHTTPRequestHandler):
    """Takes spans as a collector of OpenTelemetry does."""

    taken: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        self.taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Return an endpoint, and what was sent there."""
    taken: list[tuple[str, bytes]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Of", (Collector,), {"taken": taken}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", taken
    server.shutdown()
    server.server_close()


def _environment(bus: Bus, port: int) -> dict[str, str]:
    return {**worker_environment(bus.settings), "LIQMON_METRICS_PORT": str(port)}


async def test_not_ready_says_why_and_ready_after_the_reference_set(
    bus: Bus, tmp_path: Path
) -> None:
    port = free_port()
    with Command("worker", tmp_path, _environment(bus, port), "worker"):
        # Assigned or not yet: without a reference set nothing can be ready.
        assert json.loads(await until_status(port, "/readyz", 503))["reasons"]
        await publish_reference(bus.settings, tmp_path, REFERENCE)
        await bus.tick("USDT-USD", "index", "1")
        await bus.btc("50000")
        assert json.loads(await until_status(port, "/readyz", 200))["ready"] is True
        assert (await asyncio.to_thread(get, port, "/healthz"))[0] == 200
        assert (await asyncio.to_thread(get, port, "/"))[0] == 404


async def test_every_metric_is_there_and_says_what_happened(
    bus: Bus, tmp_path: Path, collector: tuple[str, list[tuple[str, bytes]]]
) -> None:
    port = free_port()
    endpoint, spans = collector
    environment = {**_environment(bus, port), "LIQMON_OTLP_ENDPOINT": endpoint}
    await publish_reference(bus.settings, tmp_path, REFERENCE)
    await bus.tick("USDT-USD", "index", "1")
    await bus.btc("50000")
    with Command("worker", tmp_path, environment, "worker") as worker:
        await bus.until(ready)
        # 1 BTC long on 2,000 USDT: 3 is crossed at 49,532
        await bus.send("accounts", ACCOUNT, account_message(ACCOUNT, "2000", "100"))
        await bus.send("fills", "nobody", b"no fill")
        await bus.btc("49400")
        (warning,) = await bus.until(about(ACCOUNT, "warning", state="entered"))
        await bus.until(lambda m: m["kind"] == "dead_letter")
        key = ("liqmon_account_topic_lag_records", (("partition", "0"), ("topic", "fills")))
        found = await until(
            port,
            lambda s: (
                s[("liqmon_dead_letters_total", ())] == 1
                and key in s
                and s[("liqmon_outbox_commands", ())] == 0
                and s[("liqmon_accounts", (("band", "warning"),))] == 1
            ),
        )
        exposed = {name.removesuffix("_bucket") for name, _ in found if name.startswith("liqmon_")}
        assert set(METRICS) <= exposed
        assert found[("liqmon_commands_total", (("kind", "warning"),))] == 1
        assert found[("liqmon_commands_total", (("kind", "reduction"),))] == 0
        assert found[("liqmon_episodes_total", (("state", "opened"),))] == 1
        assert found[("liqmon_partitions", (("state", "ready"),))] == 2
        assert found[("liqmon_topic_partitions", ())] == 2
        assert found[("liqmon_recovery_seconds_count", ())] == 2
        assert found[("liqmon_missed_crossings_total", ())] == 0
        assert found[("liqmon_redis_available", ())] == 1
        assert found[("liqmon_redis_staleness_seconds", ())] < 5
        assert found[key] == 0
        ages = ("liqmon_event_age_at_decision_seconds", (("cause", "tick"),))
        assert found[(ages[0] + "_count", ages[1])] == 1
        assert 0 < found[(ages[0] + "_sum", ages[1])] < 10
        btc = ("liqmon_tick_age_seconds", (("kind", "mark"), ("symbol", "BTC-USDT-SWAP")))
        assert 0 <= found[btc] < 60

        # A stopped process answers nothing; one that wakes past its session starts anew, and says so.
        worker.pause()
        await asyncio.sleep(4)
        worker.resume()
        paused = ("liqmon_worker_restarts_total", (("reason", "paused"),))
        found = await until(port, lambda s: s[paused] == 1 and s.get(("liqmon_ready", ())) == 1)
        assert found[("liqmon_dead_letters_total", ())] == 1  # counters outlive the restart
        assert worker.end(30) == 0
    assert {path for path, _ in spans} == {"/v1/traces"}
    sent = b"".join(body for _, body in spans)
    for part in (b"decision", b"decided", b"durable", b"published", warning["command_id"].encode()):
        assert part in sent
