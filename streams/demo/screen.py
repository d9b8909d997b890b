"""The full-screen view: readable in 80 × 24, with more of everything where there is room."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.layout import Layout
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from streams.demo.figures import Nearest, Shown
from streams.demo.stage import Stage
from streams.demo.words import Line, Tone, amount, duration, percent, phase_words, utc

__all__ = ["Screen", "bar"]

TONES: dict[Tone, str] = {
    "warning": "yellow",
    "cancel": "cyan",
    "reduce": "magenta",
    "saved": "green",
    "bad": "bold red",
    "quiet": "dim",
}
BANDS = (
    ("normal", "normal", "green"),
    ("warning", "warning ≤ 300 %", "yellow"),
    ("liquidation", "liquidation ≤ 100 %", "red"),
    ("unpriced", "no price", "dim"),
)
_WARNING_RATIO = 3.0
_PARTS = " ▏▎▍▌▋▊▉"
_HEADER_ROWS = 2
_MIDDLE_ROWS = 8
_MOST_WORKER_ROWS = 6
_MANY_TICKS = 1_000
"""So many waiting are worth a word."""
_COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE")
_SIDE_BY_SIDE = 116
"""From this width on the nearest accounts stand beside the commands, below it under them."""
_NEAR_WIDTH = 25
_START_HEIGHT = 30
"""From this height on there is room for figures beside what is still awaited at the start."""
_NEAR_ROWS = 3
_NEAR_SIDE = 44


def bar(share: float, width: int) -> str:
    """Return a bar in eighths of a character; a share above zero is never invisible."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    full, part = divmod(eighths, 8)
    return "█" * full + (_PARTS[part] if part else "")


class Screen:
    """One picture of stage and figures; as high and wide as the console is."""

    def __init__(self, stage: Stage, shown: Shown) -> None:
        self._stage = stage
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay everything out for the size there is."""
        width, height = options.max_width, options.height or console.height
        layout = Layout()
        layout.split_column(
            Layout(self._header(width), name="header", size=_HEADER_ROWS), Layout(name="body")
        )
        body, room = layout["body"], height - _HEADER_ROWS
        if self._stage.phase != "starting":
            self._fill(body, width, room)
        elif not self._shown.bands or height < _START_HEIGHT:
            body.update(self._start())
        else:
            # The first accounts are watched while the last are still on their way.
            steps = len(self._stage.steps) + 2
            body.split_column(Layout(self._start(), size=steps), Layout(name="live"))
            self._fill(body["live"], width, room - steps)
        yield layout

    def _fill(self, body: Layout, width: int, height: int) -> None:
        workers = self._worker_lines(width - width // 2 - 7, many=height >= 30)
        middle = _MIDDLE_ROWS + len(workers) - 1
        body.split_column(Layout(name="middle", size=middle), Layout(name="low"))
        left = width // 2 - 6
        body["middle"].split_row(
            Layout(self._bands(left), size=left),
            Layout(Text(" "), size=2),
            Layout(self._stream(width - left - 2, workers)),
        )
        rows = height - middle - 1
        if width >= _SIDE_BY_SIDE:
            side = width - _NEAR_SIDE - 2
            body["low"].split_row(
                Layout(self._feed(rows, side), size=side),
                Layout(Text(" "), size=2),
                Layout(self._nearest_column(rows)),
            )
        else:
            rows -= _NEAR_ROWS + 1
            body["low"].split_column(
                Layout(self._feed(rows, width)),
                Layout(self._nearest_rows(width), size=_NEAR_ROWS + 1),
            )

    # -- the top ------------------------------------------------------------------------------

    def _header(self, width: int) -> RenderableType:
        stage, market = self._stage, self._stage.market
        title = Text("liqmon", style="bold", no_wrap=True, overflow="ellipsis")
        if market is not None:
            title.append(f"  {market.name}", style="none")
            title.append(f"  ×{market.speed:,.4g}", style="dim")
        end = "Ctrl-C ends it"
        if stage.page:
            end = f"{stage.page}  {end}"
        title.truncate(width - len(end) - 2)
        title.append(end.rjust(width - len(title)), style="dim")
        if stage.phase == "checking":
            left, fraction = stage.check.doing, stage.check.fraction
        elif market is None or stage.phase == "starting":
            left, fraction = f"{stage.elapsed:.0f} s", 0.0
        else:
            at = stage.replay.recorded_ms or market.first_ms
            left, fraction = f"{utc(at)} UTC", stage.replay.fraction
        right = phase_words(stage)
        room = width - len(left) - len(right) - 9
        line = Text(left, style="bold", no_wrap=True)
        if stage.phase != "starting" and room >= 8:
            drawn = bar(fraction, room)
            line.append(f" {drawn}", style="not bold blue")
            line.append("░" * (room - len(drawn)), style="not bold bright_black")
            line.append(f" {fraction:4.0%}")
        line.append(f"  {right}", style="not bold" if stage.phase == "playing" else "bold yellow")
        return Group(title, line)

    def _start(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for step in self._stage.steps.values():
            if step.done_at is None:
                table.add_row(Text("…", style="yellow"), step.what, Text(step.detail, style="dim"))
            else:
                took = Text(f"{step.done_at:.1f} s", style="dim")
                table.add_row(Text("✓", style="green"), step.what, took)
        return Group(_heading("Getting ready: everything starts side by side"), table)

    # -- the middle ---------------------------------------------------------------------------

    def _bands(self, width: int) -> RenderableType:
        shown = self._shown
        total = max(1, sum(shown.bands.values()))
        room = max(4, width - 28)
        table = Table.grid(padding=(0, 1))
        table.add_column(width=19, no_wrap=True)
        table.add_column(justify="right", width=7)
        table.add_column(width=room)
        for band, words, colour in BANDS:
            count = shown.bands.get(band, 0)
            style = colour if count else "dim"
            drawn = Text(bar(count / total, room), style=colour)
            table.add_row(Text(words, style=style), Text(f"{count:,}", style=style), drawn)
        facts = _pairs()
        closed = f"{shown.closed_episodes:,} closed"
        facts.add_row("episodes", f"{shown.open_episodes:,} open, {closed}")
        saved = Text(f"{shown.saved:,} by the cancel alone", style="green")
        facts.add_row("saved", saved if shown.saved else Text("none yet", style="dim"))
        facts.add_row(
            "bankrupt",
            Text(f"{shown.bankrupt:,}, {amount(shown.shortfall)} USD short", style="bold red")
            if shown.bankrupt
            else Text("none", style="dim"),
        )
        return Group(_heading(f"{sum(shown.bands.values()):,} accounts by ratio"), table, facts)

    def _stream(self, width: int, workers: list[Text]) -> RenderableType:
        shown = self._shown
        table = _pairs()
        ticks = Text(f"{shown.tick_rate:,.0f}/s, {shown.ticks:,} out")
        if shown.lag > _MANY_TICKS:
            behind = f"{amount(shown.lag)} of {amount(shown.ticks)}"
            ticks = Text(f"{shown.tick_rate:,.0f}/s, {behind} wait", style="yellow")
        table.add_row("ticks", ticks)
        if shown.ages is None:
            table.add_row("answered", Text("no tick called for a command yet", style="dim"))
        else:
            middle, late = shown.ages
            table.add_row("answered", f"in {duration(middle)}, 99 of 100 in {duration(late)}")
        counts = shown.commands
        table.add_row("warnings", Text(f"{counts['warning']:,}", style="yellow"))
        orders = Text(f"{counts['order_cancel']:,} of orders", style="cyan")
        orders.append(", ", style="none")
        orders.append(f"{counts['reduction']:,} reductions", style="magenta")
        table.add_row("cancels", orders)
        again = f"{shown.resends:,} resent, {shown.dead_letters:,} dead letters"
        stuck = Text(f"{shown.stuck:,} stuck, ", style="bold red" if shown.stuck else "dim")
        table.add_row("trouble", stuck.append(again, style="dim"))
        table.add_row("market", self._prices(width - 10))
        for number, worker in enumerate(workers):
            table.add_row("" if number else "workers", worker)
        return Group(_heading("Stream"), table)

    def _prices(self, width: int) -> Text:
        text = Text(no_wrap=True)
        for coin in _COINS:
            found = self._shown.prices.get(f"{coin}-USD")
            if found is None:
                continue
            now, first = found
            change = now / first - 1
            piece = f"{coin} {amount(now)} {change:+.1%}".replace("-", "−")
            if text and len(text) + len(piece) + 2 > width:
                piece = f"{coin} {change:+.1%}".replace("-", "−")
            if text and len(text) + len(piece) + 2 > width:
                break
            text.append("  " if text else "")
            text.append(piece, style="red" if change < -0.02 else "green" if change > 0.02 else "")
        return text

    def _worker_lines(self, width: int, *, many: bool) -> list[Text]:
        """Return a line for each worker where there is room, else one for all."""
        workers = self._shown.workers
        if not workers:
            return [Text("none yet", style="yellow")]
        lines = [
            Text(
                f"{worker.name} {worker.state}, {worker.ready} of {worker.partitions} partitions"
                + (f", lag {worker.lag:,}" if worker.lag else ""),
                style="green" if worker.well else "yellow",
                no_wrap=True,
            )
            for worker in workers
        ]
        if (len(lines) == 1 and len(lines[0]) <= width) or (many and len(lines) > 1):
            return lines[:_MOST_WORKER_ROWS]
        well = sum(worker.well for worker in workers)
        ready = sum(worker.ready for worker in workers)
        line = f"{well}/{len(workers)} ready, {ready}/16 partitions"
        return [Text(line, style="green" if well == len(workers) else "yellow", no_wrap=True)]

    # -- below --------------------------------------------------------------------------------

    def _feed(self, rows: int, width: int) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=8, style="dim")
        table.add_column(width=10, no_wrap=True)
        table.add_column(width=8, justify="right")
        table.add_column(no_wrap=True, width=max(10, width - 29), overflow="ellipsis")
        for line in feed(self._shown, rows):
            style = TONES[line.tone]
            table.add_row(
                utc(line.at_ms)[11:],
                Text(line.account_id, style=style),
                Text(percent(line.ratio), style=style),
                Text(line.what, style=style),
            )
        return Group(_heading("Last commands: when, account, ratio, what"), table)

    def _nearest_column(self, rows: int) -> RenderableType:
        """One account a line, with its equity."""
        table = Table.grid(padding=(0, 1))
        table.add_column(width=10, no_wrap=True)
        table.add_column(width=8, justify="right")
        table.add_column(width=10)
        table.add_column(width=12, justify="right", style="dim")
        for near in self._shown.nearest[:rows]:
            style, drawn = _ratio_style(near), bar(near.ratio / _WARNING_RATIO, 10)
            table.add_row(
                Text(near.account_id, style=style),
                Text(percent(near.ratio), style=style),
                Text(drawn, style=style),
                f"{amount(near.adjusted_equity)} USD",
            )
        return Group(_heading("Nearest to 100 %, with adjusted equity"), table)

    def _nearest_rows(self, width: int) -> RenderableType:
        """As many accounts as fit, down the columns."""
        columns = max(1, width // _NEAR_WIDTH)
        table = Table.grid(padding=(0, 1))
        for _ in range(columns):
            table.add_column(width=width // columns - 1, no_wrap=True)
        shown = self._shown.nearest[: columns * _NEAR_ROWS]
        for row in range(_NEAR_ROWS):
            cells = []
            for near in shown[row::_NEAR_ROWS]:
                cell = Text(f"{near.account_id} {percent(near.ratio):>8} ", _ratio_style(near))
                cell.append(bar(near.ratio / _WARNING_RATIO, width // columns - 1 - len(cell)))
                cells.append(cell)
            table.add_row(*cells)
        return Group(_heading("Nearest to liquidation, which is at 100 %"), table)


def feed(shown: Shown, rows: int) -> list[Line]:
    """Return the latest lines, newest first; warnings never push everything else away."""
    alerts = list(shown.alerts[:rows])
    warnings = list(shown.warnings[: max(rows // 3, rows - len(alerts))])
    kept = alerts[: rows - len(warnings)] + warnings
    return sorted(kept, key=lambda line: line.at_ms, reverse=True)


def _heading(words: str) -> Rule:
    return Rule(Text(words, style="bold"), align="left", style="bright_black")


def _pairs() -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(min_width=8, no_wrap=True, style="dim")
    table.add_column(no_wrap=True, overflow="ellipsis")
    return table


def _ratio_style(near: Nearest) -> str:
    if near.ratio <= 1:
        return "red"
    return "yellow" if near.ratio <= _WARNING_RATIO else "none"
