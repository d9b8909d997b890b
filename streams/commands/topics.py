"""`liqmon topics`."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from streams.commands.running import settings_and_logs
from streams.topics import TopicState, ensure

__all__ = ["run"]

_STYLES = {"created": "green", "ok": "", "differs": "yellow", "missing": "red"}


def run(replication: int | None, *, check: bool) -> int:
    """Create or only check every topic; return 1 when no worker could run on them."""
    settings = settings_and_logs()
    if replication is not None:
        settings = settings.model_copy(update={"replication": replication})
    states = ensure(settings, create=not check)
    _print(states)
    return 1 if any(state.fatal for state in states) else 0


def _print(states: list[TopicState]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("topic", no_wrap=True)
    table.add_column("partitions", justify="right")
    table.add_column("state", overflow="fold")
    for state in states:
        text = f"[{_STYLES[state.state] or 'none'}]{state.state}[/]"
        if state.differences:
            text += ": " + "; ".join(
                f"{d.setting} is {d.found}, expected {d.expected}" for d in state.differences
            )
        table.add_row(state.name, str(state.partitions), text)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(table)
