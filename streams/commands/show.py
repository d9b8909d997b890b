"""`liqmon watch` and `liqmon evaluate`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

import orjson

from streams.commands.running import run_until_stopped, settings_and_logs
from streams.watch import WatchOptions, watch

__all__ = ["run_evaluate", "run_watch"]


def run_watch(options: WatchOptions) -> int:
    """Follow the output topics until stopped."""
    settings = settings_and_logs()

    async def main(stop: asyncio.Event) -> int:
        watching = asyncio.ensure_future(watch(settings, options))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait({watching, stopped}, return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        stopped.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        return 0

    return run_until_stopped(main)


def run_evaluate(file: Path, *, as_json: bool, explains: bool = False) -> int:
    """Assess the accounts of a file; raises `BadDocument` with every error."""
    from monitor.explain import plain_tree
    from streams.evaluate import evaluate_file
    from streams.evaluate_table import console, print_assessments
    from streams.explanation import print_explanations

    found = evaluate_file(file, explains=explains)
    if as_json:
        plain = []
        for one in found:
            body = one.assessment.model_dump(mode="json")
            if one.explanation is not None:
                body["explanation"] = plain_tree(one.explanation)
            plain.append(body)
        sys.stdout.write(orjson.dumps(plain, option=orjson.OPT_INDENT_2).decode() + "\n")
        return 0
    screen = console()
    print_assessments([one.assessment for one in found], screen)
    print_explanations([one.explanation for one in found if one.explanation is not None], screen)
    return 0
