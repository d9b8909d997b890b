"""A journal topic and an output topic for each test."""

import pytest

import streams.journal
from tests.integration.journal.world import World, create_topic


@pytest.fixture
def world(kafka: str, topic_prefix: str) -> World:
    """A journal topic and an output topic that nobody else uses."""
    world = World(kafka, topic_prefix, streams.journal)
    create_topic(kafka, world.topic)
    create_topic(kafka, world.out, config={})
    return world
