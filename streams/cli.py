"""The command line, `liqmon` or `python -m streams`. Each command loads what it needs itself."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from streams.exceptions import CommandError
from streams.setting_names import help_lines

__all__ = ["app", "main"]

_EPILOG = "\b\nSettings, from the environment or a file .env:\n" + "\n".join(
    f"  {line}" for line in help_lines()
)

app = typer.Typer(
    name="liqmon",
    help="Watches the margin of exchange accounts on Kafka and commands cancels and reductions.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
reference_app = typer.Typer(
    help="Validate or publish the reference set.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(reference_app, name="reference")
alerts_app = typer.Typer(
    help="Tell people of commands: Slack, Telegram, mail and the rest.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(alerts_app, name="alerts")

bench_app = typer.Typer(
    help="Measure what a tick and an event cost, beside the usual designs in the same run.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(bench_app, name="bench")

Only = Annotated[
    list[str] | None, typer.Option(metavar="PART", help="Only this part; may be repeated.")
]
Runs = Annotated[int, typer.Option(min=1, max=100, help="Measurements that a median is of.")]
Seed = Annotated[int, typer.Option(help="Equal seeds give equal accounts and ticks.")]
AsJson = Annotated[bool, typer.Option("--json", help="The whole result as JSON.")]
InputFile = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]


class Kind(StrEnum):
    """What `watch` can be limited to."""

    warning = "warning"
    order_cancel = "order_cancel"
    reduction = "reduction"
    episode = "episode"
    dead_letter = "dead_letter"
    heartbeat = "heartbeat"


def main() -> None:
    """Run the command line and exit: 0 done, 1 bad input (every error on stderr), 2 usage."""
    try:
        app()
    except CommandError as error:
        for line in error.errors:
            sys.stderr.write(f"{line}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # What reads our output has enough; Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _version(value: bool) -> None:
    if value:
        try:
            found = version("liqmon")
        except PackageNotFoundError:
            found = "(not installed)"
        typer.echo(f"liqmon {found}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    recording: Annotated[
        Path | None, typer.Option("--replay", metavar="FILE", help="Play recorded ticks.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Recorded seconds per second of wall time.")
    ] = None,
    accounts: Annotated[int, typer.Option(help="How many to generate.")] = 20_000,
    duration: Annotated[
        float | None, typer.Option(help="Seconds on the wall; with --replay, instead of a speed.")
    ] = None,
    workers: Annotated[int, typer.Option(help="How many share the partitions.")] = 1,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal accounts and markets.")] = 1,
    symbol_map: Annotated[
        Path | None,
        typer.Option("--map", metavar="FILE", help="YAML: series → index and mark symbols."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave data and logs in place.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no page.")] = False,
) -> None:
    """Show the whole chain at work on this machine.

    Kafka, Redis, worker, a simulated exchange and a replay, with no other set-up. Without --replay
    a made market crashes and recovers. Exits with 0 when the check over the topics is clean.
    """
    from streams.commands.demo import run_demo

    code = run_demo(
        replay=recording,
        speed=speed,
        accounts=accounts,
        duration=duration,
        workers=workers,
        seed=seed,
        symbol_map=symbol_map,
        keep=keep,
        no_browser=no_browser,
    )
    raise typer.Exit(code)


@app.command()
def services(
    kafka_port: Annotated[int | None, typer.Option(min=1, max=65535)] = None,
    redis_port: Annotated[int | None, typer.Option(min=1, max=65535)] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep everything here; else it is gone at the end.")
    ] = None,
) -> None:
    """Run Kafka and Redis on this machine, in the foreground.

    Prints one JSON line with their addresses when both are ready. Ports are free ones if not
    given.
    """
    from streams.embedded.service import serve

    raise typer.Exit(serve(kafka_port, redis_port, data_dir))


@app.command()
def worker() -> None:
    """Run one stream worker.

    Account events and ticks in, commands out; several share the partitions.
    """
    from streams.commands.running import settings_and_logs
    from streams.worker import run

    raise typer.Exit(run(settings_and_logs()))


@app.command()
def dashboard(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8080,
) -> None:
    """Serve the page and the API, from Redis and the topics.

    With LIQMON_API_TOKEN the API needs it; without one only this machine is served, and any other
    --host is refused.
    """
    from streams.commands.dashboard import run_dashboard

    raise typer.Exit(run_dashboard(host, port))


@app.command()
def topics(
    replication: Annotated[
        int | None, typer.Option(min=1, max=100, help="Copies; else one a broker, at most 3.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Create nothing, only check.")] = False,
) -> None:
    """Create or check every topic with its settings.

    Exits with 1 when one is missing or has another number of partitions than configured.
    """
    from streams.commands.topics import run

    raise typer.Exit(run(replication, check=check))


@reference_app.command("check")
def reference_check(file: InputFile) -> None:
    """Validate a reference file (YAML or JSON) and list the policy's settings.

    Exits with 1 and every error, at its place, when the set contradicts itself.
    """
    from streams.commands.reference import check

    raise typer.Exit(check(file))


@reference_app.command("publish")
def reference_publish(file: InputFile) -> None:
    """Validate a reference file and publish it as one set; workers switch all at once."""
    from streams.commands.reference import publish_file

    raise typer.Exit(publish_file(file))


@alerts_app.command("run")
def alerts_run(
    metrics_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Serve /metrics for Prometheus here.")
    ] = None,
    metrics_host: Annotated[str, typer.Option(help="Address of --metrics-port.")] = "127.0.0.1",
) -> None:
    """Apply the published rules to all commands and tell people, until stopped.

    Channels come from LIQMON_ALERT_CHANNELS (a JSON object, name → Apprise URL) or one
    LIQMON_ALERT_CHANNEL_<NAME> each; docs/alerts.md lists the other settings.
    """
    from streams.commands.alerts import run_alerts

    raise typer.Exit(run_alerts(metrics_host, metrics_port))


@alerts_app.command("test")
def alerts_test(
    channel: Annotated[list[str] | None, typer.Option(help="Only these; may be repeated.")] = None,
) -> None:
    """Send a message to every channel and say which took it.

    Exits with 1 and the reason when one did not.
    """
    from streams.commands.alerts import test_channels

    raise typer.Exit(test_channels(channel or ()))


@alerts_app.command("check")
def alerts_check(file: InputFile) -> None:
    """Validate a rules file (YAML or JSON) and say each rule in words.

    Exits with 1 and every error, at its place.
    """
    from streams.commands.alerts import check_rules

    raise typer.Exit(check_rules(file))


@alerts_app.command("publish")
def alerts_publish(
    file: InputFile,
    keep_others: Annotated[
        bool, typer.Option("--keep-others", help="Leave rules that the file does not name.")
    ] = False,
) -> None:
    """Validate a rules file and publish it; alerts that run take it over at once.

    Rules that the file does not name are removed, unless others are kept; then one is removed by
    `deleted: true`.
    """
    from streams.commands.alerts import publish_file

    raise typer.Exit(publish_file(file, keep_others=keep_others))


@app.command()
def replay(
    file: InputFile,
    speed: Annotated[
        float, typer.Option(min=0, help="Recorded seconds per second; 0: as fast as possible.")
    ] = 1.0,
    symbol_map: Annotated[
        Path | None,
        typer.Option("--map", metavar="FILE", help="YAML: series → index and mark symbols."),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Play sparse bars as recorded, without steps between.")
    ] = False,
) -> None:
    """Publish recorded ticks, with progress.

    FILE is Parquet or CSV (plain, gz, zip or zst).
    """
    from streams.commands.play import run_replay

    raise typer.Exit(run_replay(file, speed, symbol_map, raw=raw))


@app.command()
def simulate(
    accounts: Annotated[int, typer.Option(min=1, help="How many to generate.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal accounts.")] = 1,
) -> None:
    """Seeded accounts, and an exchange that carries out commands."""
    from streams.commands.play import run_simulate

    raise typer.Exit(run_simulate(accounts, seed))


@app.command()
def watch(
    kind: Annotated[
        list[Kind] | None, typer.Option(help="Only these; may be repeated.", show_choices=True)
    ] = None,
    account: Annotated[
        list[str] | None, typer.Option(help="Only these accounts; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON message a line.")] = False,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Begin with what is on the topics already.")
    ] = False,
) -> None:
    """Follow commands and notices, one line each."""
    from streams.commands.show import run_watch
    from streams.watch import WatchOptions

    options = WatchOptions(
        kinds=[one.value for one in kind or ()],
        accounts=account or (),
        json=as_json,
        from_start=from_start,
    )
    raise typer.Exit(run_watch(options))


@app.command()
def evaluate(
    file: InputFile,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list of assessments.")] = False,
    explains: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Every figure with its formula, down to book, prices and reference set; "
            "with --json as a tree under `explanation`, exact.",
        ),
    ] = False,
) -> None:
    """Assess the accounts of a file offline, without Kafka.

    The file (YAML or JSON) holds `reference` (a path, or the set itself), `prices` (symbol →
    price) and `accounts` (messages of the topic `accounts` with their snapshot). Shown are the
    account's figures and liquidation prices, for a single account its coins and positions too; with
    --explain also why, as a tree in which each figure names its rule. Exits with 1 and every error,
    at its place, when the file cannot be used.
    """
    from streams.commands.show import run_evaluate

    raise typer.Exit(run_evaluate(file, as_json=as_json, explains=explains))


@app.command()
def check(
    file: InputFile,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
) -> None:
    """Ask offline whether an order, a borrowing or a withdrawal would pass, or how to repay.

    The file (YAML or JSON) is one of `evaluate` with a single account, and besides it holds one of
    `order`, `borrow`, `withdrawal` (currency, amount) and `repay` (currency, amount, assets to sell).
    `totals` may give what is borrowed in all, by currency, under `main_account` and `platform`;
    unknown totals refuse new borrowing where there is a cap or a pool. The answer names every figure,
    the rule that refuses, and the largest size that would pass. Exits with 0 whatever the answer, and
    with 1 and every error, at its place, when the file cannot be used.
    """
    from streams.commands.check import run_check

    raise typer.Exit(run_check(file, as_json=as_json))


@app.command("what-if")
def what_if(
    file: InputFile,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
) -> None:
    """Show offline what a move of prices, a fill or cash would do to each account.

    The file (YAML or JSON) is one of `evaluate`, and besides it holds `shocks` (relative, by
    underlying or by symbol: `BTC: "-0.1"` moves its index and every mark on it), `fills` (of an open
    order by `order_id`, or of any instrument) and `cash` (currency → amount). Fills and cash are of
    one account: `account_id` says which, where there are several. Exits with 1 and every error, at
    its place, when the file cannot be used.
    """
    from streams.commands.what_if import run_what_if

    raise typer.Exit(run_what_if(file, as_json=as_json))


@app.command()
def verify(
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Check a run over its topics.

    Every command must follow from the inputs it carries, and no crossing may stay unanswered.
    Exits with 1 when something was found.
    """
    from streams.commands.verify import run

    raise typer.Exit(run(as_json=as_json))


@bench_app.command("engine")
def bench_engine(
    accounts: Annotated[
        int, typer.Option(min=10, help="Accounts; the growth is measured from /10 to ×10.")
    ] = 100_000,
    ticks: Annotated[int, typer.Option(min=100, help="Ticks of a calm market.")] = 120_000,
    runs: Runs = 3,
    seed: Seed = 1,
    only: Only = None,
    as_json: AsJson = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw cost per tick against accounts (PNG)."),
    ] = None,
) -> None:
    """Measure the engine alone, without Kafka.

    Parts: account, calm, fall, gap, watch-list, portfolio. Beside it run a NumPy full recompute, a scan in
    Python and a watch list with a sweep, by the same rules; what crossed is compared. Ctrl-C ends
    it with what is measured. Exits with 1 when a part could not be measured. docs/benchmarks.md
    says how to read it.
    """
    from streams.bench.result import Sizes
    from streams.commands.bench import Output, run_engine

    sizes = Sizes(accounts=accounts, ticks=ticks, runs=runs, seed=seed)
    raise typer.Exit(run_engine(sizes, only or (), Output(as_json, plot)))


@bench_app.command("pipeline")
def bench_pipeline(
    accounts: Annotated[int, typer.Option(min=16, help="Accounts in the worker.")] = 100_000,
    ticks: Annotated[
        int, typer.Option(min=1_000, help="Ticks of a backlog; a tenth of it in account events.")
    ] = 600_000,
    runs: Runs = 3,
    seed: Seed = 1,
    only: Only = None,
    as_json: AsJson = False,
) -> None:
    """Measure a worker's process on an embedded Kafka and Redis, which share this machine with it.

    Parts: ticks, latency, events, start, join. Beside it run a bare aiokafka loop, a relay of two
    hops, Faust agents and quixstreams dataframes. Ctrl-C ends it with what is measured. Exits with
    1 when a part could not be measured. docs/benchmarks.md says how to read it.
    """
    from streams.bench.result import Sizes
    from streams.commands.bench import Output, run_pipeline

    sizes = Sizes(accounts=accounts, ticks=ticks, runs=runs, seed=seed)
    raise typer.Exit(run_pipeline(sizes, only or (), Output(as_json)))


@app.command()
def rules(
    codes: Annotated[
        list[str] | None, typer.Argument(metavar="[CODE]...", help="Every place of these only.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list of rules.")] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="The page docs/rules.md.")
    ] = False,
) -> None:
    """List every rule: its code, what it says, where it is done and which tests it has."""
    from streams.commands.rules import run_rules

    raise typer.Exit(run_rules(codes or (), as_json=as_json, as_markdown=as_markdown))
