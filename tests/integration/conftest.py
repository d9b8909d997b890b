"""What tests of real workers share."""

from pathlib import Path

import pytest

from streams.settings import Settings
from tests.support.bus import worker_settings


@pytest.fixture
def settings(kafka: str, redis_url: str, topic_prefix: str, tmp_path: Path) -> Settings:
    """Settings of workers on the shared services, with topics of the test's own."""
    return worker_settings(kafka, redis_url, topic_prefix, tmp_path)
