"""What integration tests share: the settings of real workers, desks that alerts are told to."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.settings import Settings
from tests.support.alerting import Desk
from tests.support.bus import worker_settings


@pytest.fixture
def settings(kafka: str, redis_url: str, topic_prefix: str, tmp_path: Path) -> Settings:
    """Settings of workers on the shared services, with topics of the test's own."""
    return worker_settings(kafka, redis_url, topic_prefix, tmp_path)


@pytest.fixture
def desks() -> Iterator[Callable[[], Desk]]:
    """Makes desks, each with an address of its own."""
    made: list[Desk] = []

    def make() -> Desk:
        made.append(Desk())
        return made[-1]

    yield make
    for desk in made:
        desk.close()


@pytest.fixture
def desk(desks: Callable[[], Desk]) -> Desk:
    """One desk."""
    return desks()
