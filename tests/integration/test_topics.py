"""`liqmon topics` against the real broker."""

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from streams.settings import Settings
from streams.topics import Topics, TopicsError, ensure, topic_specs

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(kafka: str, topic_prefix: str) -> Settings:
    return Settings(brokers=kafka, topic_prefix=topic_prefix, partitions=3)


def test_every_topic_is_created_once_and_found_in_order_afterwards(settings: Settings) -> None:
    first = ensure(settings)
    assert {state.state for state in first} == {"created"}
    names = {spec.name for spec in topic_specs(Topics(settings.topic_prefix), 3, 1)}
    assert {state.name for state in first} == names
    again = ensure(settings)
    assert [(state.name, state.state, state.differences) for state in again] == [
        (state.name, "ok", ()) for state in first
    ]
    topics = Topics(settings.topic_prefix)
    counts = {state.name: state.partitions for state in again}
    assert {counts[name] for name in (*topics.account_topics, topics.journal)} == {3}
    assert counts[topics.ticks] == counts[topics.reference] == 1


def test_what_differs_is_named_with_what_was_expected_and_found(settings: Settings) -> None:
    topics = Topics(settings.topic_prefix)
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    made = admin.create_topics(
        [
            NewTopic(topics.fills, num_partitions=2),
            NewTopic(
                topics.ticks,
                num_partitions=1,
                config={**_spec(settings, topics.ticks), "cleanup.policy": "delete"},
            ),
        ]
    )
    for answer in made.values():
        answer.result()
    states = {state.name: state for state in ensure(settings)}
    fills, ticks = states[topics.fills], states[topics.ticks]
    assert fills.state == ticks.state == "differs"
    assert ("partitions", "3", "2") in [(d.setting, d.expected, d.found) for d in fills.differences]
    assert fills.fatal
    assert [(d.setting, d.expected, d.found) for d in ticks.differences] == [
        ("cleanup.policy", "compact", "delete")
    ]
    assert not ticks.fatal
    assert states[topics.orders].state == "created"


def test_without_create_missing_topics_are_reported_and_stay_missing(settings: Settings) -> None:
    assert {state.state for state in ensure(settings, create=False)} == {"missing"}
    assert all(state.fatal for state in ensure(settings, create=False))


def test_brokers_that_do_not_answer_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.topics._TIMEOUT_SECONDS", 0.5)
    with pytest.raises(TopicsError, match=r"127\.0\.0\.1:1"):
        ensure(Settings(brokers="127.0.0.1:1"))


def _spec(settings: Settings, name: str) -> dict[str, str]:
    specs = topic_specs(Topics(settings.topic_prefix), settings.partitions, 1)
    return dict(next(spec.config for spec in specs if spec.name == name))
