import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.otp.survey import Order
from harness.show.live.rows import ActorRow
from harness.show.live.view import Column, View, arrange, press

SMALL = st.integers(0, 3)
ROWS = st.lists(
    st.builds(
        ActorRow,
        name=st.sampled_from(["db", "web", "match-1", "User#1"]),
        kind=st.sampled_from(["Db", "Web", "User"]),
        node=st.sampled_from(["a:1", "b:2"]),
        mailbox=SMALL,
        messages=SMALL,
        per_s=st.none() | st.floats(0, 10),
        restarts=SMALL,
        memory_bytes=SMALL,
    ),
    max_size=8,
)
VIEWS = st.builds(
    View, column=st.sampled_from(Column), reverse=st.booleans(), wanted=st.sampled_from(["", "user", "B:2"])
)


def pressed(keys: str, view: View | None = None) -> View:
    view = view or View()
    for key in keys:
        view = press(view, key)
    return view


@pytest.mark.parametrize(
    ("keys", "view"),
    [
        ("", View()),
        ("s", View(Column.MESSAGES)),
        ("s" * len(Column), View()),
        ("r", View(reverse=True)),
        ("rr", View()),
        ("p", View(paused=True)),
        (" ", View(paused=True)),
        ("p ", View()),
        ("q", View(ended=True)),
        ("/", View(typing=True)),
        ("fdb", View(typing=True, wanted="db")),
        ("/db\n", View(wanted="db")),
        ("/db\r", View(wanted="db")),
        ("/dbx\x7f\n", View(wanted="db")),
        ("/\x7f\n", View()),
        ("/quips\n", View(wanted="quips")),
        ("/db\x1b", View()),
        ("/db\n\x1b", View()),
        ("/d\x01b\n", View(wanted="db")),
        ("x", View()),
    ],
)
def test_keys(keys: str, view: View) -> None:
    assert pressed(keys) == view


@given(ROWS, VIEWS)
def test_rows_are_those_that_are_wanted_and_in_order(rows: list[ActorRow], view: View) -> None:
    found = arrange(rows, view)
    wanted = view.wanted.lower()
    assert sorted(map(repr, found)) == sorted(
        repr(row) for row in rows if wanted in f"{row.name} {row.kind} {row.node}".lower()
    )
    keys = [view.column.value.key(row) for row in found]
    descending = (view.column is not Column.NAME) != view.reverse
    assert keys == sorted(keys, reverse=descending)


@given(ROWS, VIEWS)
def test_the_order_does_not_depend_on_how_they_came(rows: list[ActorRow], view: View) -> None:
    names = [(row.name, row.node, view.column.value.key(row), row.messages) for row in arrange(rows, view)]
    assert names == [
        (row.name, row.node, view.column.value.key(row), row.messages) for row in arrange(reversed(rows), view)
    ]


def test_a_server_is_asked_for_those_with_most_of_what_is_shown() -> None:
    assert {column: column.value.asked for column in Column} == {
        Column.MAILBOX: Order.MAILBOX,
        Column.MESSAGES: Order.MESSAGES,
        Column.RATE: Order.MESSAGES,
        Column.RESTARTS: Order.RESTARTS,
        Column.MEMORY: Order.MEMORY,
        Column.NAME: Order.MAILBOX,
    }
