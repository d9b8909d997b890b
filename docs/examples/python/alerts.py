"""An alert consumer with liqmon's own client: one line a command, each carried out once.

    python alerts.py warnings order-cancels reductions episodes

Brokers and prefix come from liqmon's settings (LIQMON_BROKERS, LIQMON_TOPIC_PREFIX, ...), the group
from LIQMON_GROUP.
"""

import asyncio
import os
import signal
import sys
from contextlib import aclosing

from monitor.schema import Command, EpisodeNotice, OrderCancel, Reduction, WarningCommand
from streams.client import Acceptance, subscribe
from streams.logs import configure_logs
from streams.settings import load_settings

TOPICS = ("warnings", "order-cancels", "reductions", "episodes")


def says(command: Command) -> str:
    match command:
        case WarningCommand():
            return f"{command.state} at {command.level}"
        case OrderCancel():
            return f"{command.reason} cancel {', '.join(command.order_ids)}"
        case Reduction():
            return "; ".join(
                f"{a.action} {a.quantity} {a.instrument or a.currency}" for a in command.actions
            )
        case EpisodeNotice():
            return command.state
    return ""


def handle(command: Command) -> None:
    """Your own code goes here. It may run again for the same command after a crash."""
    about = f"{command.kind} {command.account_id} {command.episode_id}"
    number = f"#{command.sequence}.{command.attempt}"
    print(f"{about} {number} {command.command_id}: {says(command)}", flush=True)


async def consume(topics: tuple[str, ...], group: str) -> None:
    settings = load_settings()
    configure_logs(settings)  # to standard error
    acceptance = Acceptance()
    # Copies of what this process has seen are left out by `subscribe`. The offset of a message is
    # committed when the body has ended and the next is asked for.
    async with aclosing(subscribe(*topics, group=group, settings=settings)) as messages:
        async for message in messages:
            if not isinstance(message, Command):
                continue
            why = acceptance.refusal(message)
            if why is not None:
                told = f"{why}: {message.command_id} attempt {message.attempt}"
                print(told, file=sys.stderr, flush=True)
            else:
                handle(message)


async def main() -> None:
    topics = tuple(sys.argv[1:]) or TOPICS
    consuming = asyncio.ensure_future(consume(topics, os.environ.get("LIQMON_GROUP", "desk")))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, consuming.cancel)
    await asyncio.wait([consuming])
    if not consuming.cancelled():
        consuming.result()


if __name__ == "__main__":
    asyncio.run(main())
