"""Faust's Kafka transport, whose consumer hands records to the agents without a task for each."""

from __future__ import annotations

from typing import Any, ClassVar

import faust
from faust.transport.drivers import aiokafka
from mode.services import WaitResults

__all__ = ["App"]


class _Consumer(aiokafka.Consumer):
    """Delivers at once what need not wait.

    Faust races the delivery of every record against a stop of the flow: four tasks and three turns of
    the loop a record, most of what a record costs. While other work takes a millisecond of each
    turn, as ticks do in a crash, that is some 300 records a second, whatever each of them costs.
    """

    async def wait_first(self, *coros: Any, **options: Any) -> WaitResults:
        """Wait for the first of them; the consumer waits for a record's delivery only, or a stop."""
        if len(coros) != 2 or not self._flows():
            return await super().wait_first(*coros, **options)
        delivery, stop = coros
        stop.close()
        return WaitResults([delivery], [await delivery], False)

    def _flows(self) -> bool:
        """Whether nothing keeps a record from its agent's queue now."""
        app = self.app
        return (
            self.flow_active
            and app.flow_control.is_active()
            and not self._stopped.is_set()
            and not self._crashed.is_set()
            and not any(channel.queue.full() for channel in app.topics)
        )


class _Transport(aiokafka.Transport):
    Consumer: ClassVar[Any] = _Consumer


class App(faust.App):
    """A Faust app on that transport."""

    def _new_transport(self) -> Any:
        return _Transport(self.conf.broker_consumer, self)
