"""The live tables, for a terminal of 80 columns or more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from harness.show.live.rows import actor_rows, node_row, parts_row
from harness.show.live.view import Column, View, arrange
from harness.show.live.workers import show_workers
from harness.units import NOTHING, show_bytes, show_rate, show_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from harness.show.live.course import Pace, Told
    from harness.show.live.rows import ActorRow, NodeRow, PartsRow
    from harness.targets.poller import Look

    _Cells = tuple[Text | str, ...]

TRIAL_ACTORS: Final = 10
"""So many actors are shown beside a trial."""

_MINUTE_S, _HOUR_S = 60, 3600


def show_top(looks: Sequence[Look], view: View, height: int) -> RenderableType:
    """Return the nodes above their actors, in `height` lines at most."""
    rows = arrange((row for look in looks for row in actor_rows(look)), view)
    away = sum(look.away is not None for look in looks)
    parts = show_parts(looks)
    tables = [table for table in (parts, show_workers(looks)) if table is not None]
    used = sum(table.row_count + 1 for table in tables)
    room = max(1, height - len(looks) - away - used - 4)  # two headings, a blank line and the keys
    return Group(
        show_nodes(looks),
        *tables,
        Text(""),
        show_actors(rows[:room], view, several=_several(looks)),
        _keys(view, len(rows), room),
    )


def show_trial(name: str, n: int, told: Told, pace: Pace, looks: Sequence[Look]) -> RenderableType:
    """Return how a trial of `n` fans goes, above the nodes that it looks at, if there are any."""
    table = Table(box=None, pad_edge=False, show_header=False, title=f"{name}: {told.phase}", title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    fans = pace.progress
    failed = Text(f"{fans.failed:,} failed", style="bold red" if fans.failed else "")
    counts = Text(f"{fans.connected:,} of {n:,} connected, {fans.answered:,} answered, ").append_text(failed)
    back = f" ({fans.away:,} coming back)" if fans.away else ""
    table.add_row("fans", counts.append(f", {fans.closed:,} closed{back}"))
    table.add_row(
        "now", f"{show_rate(pace.per_s('answered'))} answered a second, {show_rate(pace.per_s('receipts'))} receipts"
    )
    table.add_row("events", _events(told))
    if told.accepted:
        reached, share = told.reached(fans), told.reached(fans) / told.watching if told.watching else 0.0
        table.add_row("the last", f"{reached:,} of {told.watching:,} fans have it, {share:.0%}")
    if any(look.now is not None for look in looks):
        actors = arrange((row for look in looks for row in actor_rows(look)), View())[:TRIAL_ACTORS]
        return Group(table, Text(""), show_nodes(looks), Text(""), show_actors(actors, View(), several=_several(looks)))
    return table


def _several(looks: Sequence[Look]) -> bool:
    return sum(look.now is not None for look in looks) > 1


def _events(told: Told) -> Text:
    total = f" of {told.total:,}" if told.phase == "posting" else ""
    text = Text(f"{told.accepted:,}{total} accepted")
    if told.refused:
        text.append(f", {told.refused:,} refused: {told.refusal}", style="bold red")
    return text


def show_nodes(looks: Sequence[Look]) -> RenderableType:
    """Return a row for each node, of one that does not answer as it was when it last did, and a line that says so."""
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    table.add_column("node", no_wrap=True, overflow="ellipsis", ratio=1)
    for name in ("up", "fans", "accepts/s", "sent/s", "drops", "lag", "CPU", "RSS"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = [row for look in looks if (row := node_row(look)) is not None]
    for row in rows:
        table.add_row(*_node_cells(row), style="dim" if row.away else "")
    return Group(table, *(_away(look) for look in looks if look.away is not None))


def show_parts(looks: Sequence[Look]) -> Table | None:
    """Return a row for each node with what its API, writer, requests and subscriptions do; None if none tells of any.

    Parts that no node has are left out.
    """
    rows = [row for look in looks if (row := parts_row(look)) is not None]
    shown = [part for part in _PARTS if any(part.of(row) is not None for row in rows)]
    if not shown:
        return None
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True, collapse_padding=True)
    table.add_column("node", no_wrap=True, overflow="ellipsis", ratio=1)
    for part in shown:
        for title in part.titles:
            table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        cells = (cell for part in shown for cell in part.of(row) or (NOTHING,) * len(part.titles))
        table.add_row(row.node, *cells, style="dim" if row.away else "")
    return table


def _api_cells(row: PartsRow) -> _Cells | None:
    return None if row.api is None else (f"{row.api.connections:,}", show_rate(row.calls_per_s))


def _writer_cells(row: PartsRow) -> _Cells | None:
    if row.writer is None:
        return None
    replaced = f", lost {row.writer.replaced:,}" if row.writer.replaced else ""
    is_writer = f"{'yes' if row.writer.is_writer else 'no'}{replaced}"
    return (is_writer, show_rate(row.executed_per_s), _bad(row.writer.failures))


def _requests_cells(row: PartsRow) -> _Cells | None:
    return None if row.requests is None else (f"{row.requests.waiting:,}", _bad(row.requests.unanswered))


def _subscriptions_cells(row: PartsRow) -> _Cells | None:
    if row.subscriptions is None:
        return None
    channels = f"{row.subscriptions.channels:,}" if row.subscriptions.connected else Text("away", style="bold red")
    return (channels, show_rate(row.published_per_s))


@dataclass(frozen=True, slots=True)
class _Part:
    """What may be told of a node, in columns; `of` returns None where it is not."""

    titles: tuple[str, ...]
    of: Callable[[PartsRow], _Cells | None]


_PARTS: Final = (
    _Part(("API", "calls/s"), _api_cells),
    _Part(("writer", "done/s", "failed"), _writer_cells),
    _Part(("waits", "no reply"), _requests_cells),
    _Part(("channels", "msgs/s"), _subscriptions_cells),
)


def _bad(count: int) -> Text:
    return Text(f"{count:,}", style="bold red" if count else "")


def _away(look: Look) -> Text:
    whom = look.address if look.now is None else f"{look.now.statistics.node} at {look.address}"
    return Text(f"{whom} does not answer: trying again", style="bold red", no_wrap=True, overflow="ellipsis")


def show_actors(rows: Sequence[ActorRow], view: View, *, several: bool) -> Table:
    """Return a row for each actor, with its kind, or where there are several nodes with its node.

    The column by which they are sorted is marked.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    mark = "▲" if view.reverse else "▼"

    def title(name: str) -> str:
        return f"{name}{mark}" if view.column.value.title == name else name

    table.add_column(title(Column.NAME.value.title), no_wrap=True, overflow="ellipsis", ratio=2)
    if several:
        table.add_column("node", no_wrap=True, overflow="ellipsis", ratio=1)
    else:
        table.add_column("kind", no_wrap=True, overflow="ellipsis", min_width=10)
    for column in (Column.MAILBOX, Column.MESSAGES, Column.RATE, Column.RESTARTS, Column.MEMORY):
        table.add_column(title(column.value.title), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_actor_cells(row, several=several))
    return table


def _node_cells(row: NodeRow) -> tuple[str, ...]:
    return (
        row.node,
        _duration(row.uptime_s),
        f"{row.connections:,}",
        show_rate(row.accepts_per_s),
        show_rate(row.deliveries_per_s),
        f"{row.drops:,}",
        show_time(row.lag_s),
        NOTHING if row.cpu is None else f"{row.cpu:.0%}",
        show_bytes(row.rss_bytes),
    )


def _actor_cells(row: ActorRow, *, several: bool) -> _Cells:
    mailbox = Text(f"{row.mailbox:,}", style="bold yellow" if row.mailbox else "")
    restarts = Text(f"{row.restarts:,}", style="bold red" if row.restarts else "")
    figures = (mailbox, f"{row.messages:,}", show_rate(row.per_s), restarts, show_bytes(row.memory_bytes))
    return (Text(row.name), row.node if several else row.kind, *figures)


def _keys(view: View, rows: int, room: int) -> Text:
    if view.typing:
        return Text(f"filter: {view.wanted}█  (Enter: done, Esc: none)", style="reverse", no_wrap=True)
    parts = ["s sort", "r reverse", "/ filter", "p pause", "q quit"]
    text = Text("  ".join(parts), style="dim", no_wrap=True, overflow="ellipsis")
    if view.wanted:
        text.append(f"  only {view.wanted!r}", style="bold")
    if view.paused:
        text.append("  PAUSED", style="bold red")
    if rows > room:
        text.append(f"  {rows - room:,} more", style="dim")
    return text


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole >= _HOUR_S:
        return f"{whole // _HOUR_S}h{whole % _HOUR_S // _MINUTE_S:02}"
    return f"{whole // _MINUTE_S}m{whole % _MINUTE_S:02}" if whole >= _MINUTE_S else f"{whole}s"
