"""The services of the tests: one Kafka and one Redis a test process, started when asked for.

A service that does not come up fails the tests that need it; it never skips them.
"""

import itertools
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from streams.embedded import Kafka, Services

_PROJECT = Path(__file__).resolve().parent.parent
_topic_numbers = itertools.count(1)
_databases = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--intake",
        choices=("faust", "aiokafka"),
        help="what the workers of the tests read account events through (LIQMON_INTAKE)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "intake: runs workers; CI runs it with each --intake")
    intake = config.getoption("--intake")
    if intake is not None:
        os.environ["LIQMON_INTAKE"] = intake  # what starts a worker hands its environment on


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """What configures the logs in a test binds them to that test's captured stream."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Kafka and Redis, shared by all tests: never stopped, killed or flushed by one of them."""
    with Services(tmp_path_factory.mktemp("services")) as running:
        yield running


@pytest.fixture
def kafka(services: Services) -> str:
    """The shared broker's address; use `topic_prefix` for every topic and group."""
    return services.kafka.bootstrap


@pytest.fixture
def redis_url(services: Services) -> str:
    """A database of the shared Redis that no other test uses."""
    return f"{services.redis.url}/{next(_databases)}"


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """A prefix for topics, groups and transactional ids that no other test uses."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"t{next(_topic_numbers)}-{name[:40]}."


@pytest.fixture
def private_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """A broker of the test's own, to be killed, paused and restarted."""
    with Kafka(tmp_path / "private") as broker:
        yield broker


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The recorded material, which is no part of the project; a test without it is skipped."""
    configured = os.environ.get("LIQMON_SHARED")
    folder = Path(configured) if configured else _PROJECT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(
            "the recorded material is absent: set LIQMON_SHARED, "
            "or put it into a folder `shared` beside the project"
        )
    return folder
