"""A server that is told by a file: what is wrong in it, what would run, and whose word counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import parse_url

from common.command_line import run_app
from common.http.client import ReporterClient
from stages.cli import app
from stages.redis_url import without_password
from tests.loopback import OWN_ADDRESS
from tests.printed_commands import COMMANDS_OF
from tests.stages.game import Game
from tests.stages.serving import ServerProcess, environment, run
from tests.stages.stage3.nodes import NodesProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., tuple[int, str, list[str]]]

SECRET: Final = "open-sesame"  # noqa: S105  # of servers that only tests can reach
SERVE: Final = COMMANDS_OF["matchstream"].commands["serve"]  # type: ignore[attr-defined]
WAYS: Final = {"check": ("config", "check"), "serve": ("serve", "--host", "192.0.2.1", "--config")}
"""What reads a file: one to say what it would do, the other to do it, at an address where nobody can (RFC 5737)."""


@pytest.fixture
def matchstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return what runs a command in a directory of its own: its status, its output, and its lines of errors."""
    monkeypatch.chdir(tmp_path)
    for name in ("TOKEN", "CONFIG", "STAGE", "PORT"):
        monkeypatch.delenv(f"MATCHSTREAM_{name}", raising=False)

    def matchstream(*words: str) -> tuple[int, str, list[str]]:
        status = run_app(app, "matchstream", words)
        said = capsys.readouterr()
        return status, said.out, [line.removeprefix("matchstream: ") for line in said.err.splitlines()]

    return matchstream


def write(directory: Path, text: str, mode: int = 0o600) -> str:
    """Write a file of settings, and return its name."""
    file = directory / "match.toml"
    file.write_text(text)
    file.chmod(mode)
    return file.name


def rows(table: str) -> dict[str, tuple[str, str]]:
    """Return by setting what it is and who says so."""
    cells = (re.split(r" {2,}", line.strip()) for line in table.splitlines())
    return {row[0]: (row[1], row[2]) for row in cells if len(row) == 3}


def test_a_flag_wins_over_a_variable_that_over_the_file_and_that_over_the_default(
    matchstream: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ('stage = "4"', "", "port = 1", "http-port = 2", 'host = "::"', 'slow = "skip"', "loop = true")
    file = write(tmp_path, "\n".join(settings))
    monkeypatch.setenv("MATCHSTREAM_HTTP_PORT", "3")
    monkeypatch.setenv("MATCHSTREAM_HOST", "127.0.0.5")
    monkeypatch.setenv("MATCHSTREAM_NODES", "")
    status, table, errors = matchstream("config", "check", file, "--host", "127.0.0.6", "--without", "drain")
    assert (status, errors) == (0, [])
    told = rows(table)
    assert told["host"] == ("127.0.0.6", "--host")
    assert told["without"] == ("drain", "--without")
    assert told["http-port"] == ("3", "MATCHSTREAM_HTTP_PORT")
    assert told["port"] == ("1", "match.toml:3")
    assert told["slow"] == ("skip", "match.toml:6")
    assert told["loop"] == ("true", "match.toml:7")
    assert told["grace"] == ("5s", "default")
    assert told["workers"] == ("one a core", "default")
    assert told["token"] == ("(is not shown)", "made at the start")
    assert told.keys() == {"setting", "token"} | {
        max(option.opts, key=len)[2:] for option in SERVE.params if not option.hidden and option.name != "config"
    }


WRONG: Final = {
    "stage = 2.5": ["1: stage is to be a string: write it in quotes"],
    'stage = "0"\nprot = 1\ncolour = "red"': [
        "2: there is no setting 'prot'; did you mean port?",
        "3: there is no setting 'colour': matchstream config settings lists all",
    ],
    'stage = "0"\nport = "9999"\nloop = 1\nwith = "backlog"\nspeed = true\nmax-fans = 1.5': [
        "2: port is to be a whole number: write it without quotes",
        "3: loop is to be true or false: write it without quotes",
        '4: with is to be a list of names: write it so, ["backlog"]',
        "5: speed is to be a number: write it without quotes",
        "6: max-fans is to be a whole number: write it without quotes",
    ],
    'port = 70000\nstage = "0"': ["1: port: Input should be less than or equal to 65535"],
    'stage = "3"\ntopology = "ring"': ["2: topology: 'ring' is not one of 'connected', 'independent'"],
    'stage = "0"\nport = 1\nport = 2': ["3: port stands in line 2 already: leave one of them out"],
    "stage = \"0\nport = 'x": ["1: this is no TOML: Illegal character '\\n'"],
    '[server]\nstage = "0"': ["1: settings stand in no table: leave this line out"],
    'stage = "17"': ["1: there is no stage '17'; there is: 0, 1, 2.1, 2.2, 2.3, 2.4, 2.5, 3, 4"],
    '\nstage = "0"\ngrace = "soon"': [
        "3: 'soon' is no duration: write a number and ms, s, m or h, such as 500ms, 90s, 10m or 1.5h"
    ],
    'stage = "0"\nworkers = 2': [
        "2: stage 0 has no workers: leave --workers out, or serve one with the lesson workers"
    ],
    'stage = "4"\nwithout = ["workers"]\nworkers = 2': [
        "3: stage 4 has no workers: leave --workers out, or serve one with the lesson workers"
    ],
    'redis = "redis://a"\njoin = "redis://b"\nstage = "3"': [
        "1: give --redis for a new system or --join for one that is there, not both"
    ],
    'stage = "0"\ntoken = "two words"': ["2: token cannot be sent in a header: use only letters, digits and -._~+/"],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_told_by_line_and_serve_refuses_the_same(
    matchstream: Command, tmp_path: Path, text: str, way: str
) -> None:
    file = write(tmp_path, text)
    assert matchstream(*WAYS[way], file) == (2, "", [f"match.toml:{line}" for line in WRONG[text]])


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_is_none(matchstream: Command, tmp_path: Path, way: str) -> None:
    status, _, (line,) = matchstream(*WAYS[way], str(tmp_path))
    assert (status, line) == (2, f"{tmp_path}: cannot be read: Is a directory; give a file of settings")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "setting", [f'token = "{SECRET}"', f'redis = "redis://:{SECRET}@localhost"', f'join = "redis://u:{SECRET}@h"']
)
def test_a_secret_that_others_may_read_is_refused_and_not_repeated(
    matchstream: Command, tmp_path: Path, way: str, setting: str
) -> None:
    status, said, (line,) = matchstream(*WAYS[way], write(tmp_path, f'stage = "3"\n{setting}', 0o604))
    assert (status, said) == (2, "")
    assert re.fullmatch(r"match\.toml:2: others on this machine may read the .*: chmod o= this file", line)
    assert SECRET not in line


def test_no_secret_is_shown(matchstream: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, f'stage = "3"\ntoken = "{SECRET}"\nredis = "redis://me:{SECRET}@localhost/7"', 0o640)
    status, table, errors = matchstream("config", "check", file)
    assert (status, errors) == (0, [])
    assert SECRET not in table
    assert rows(table)["redis"] == ("redis://me:***@localhost/7", "match.toml:3")
    assert rows(table)["token"] == ("(is not shown)", "match.toml:2")
    monkeypatch.setenv("MATCHSTREAM_TOKEN", f"{SECRET}-too")
    _, table, _ = matchstream("config", "check", file)
    assert SECRET not in table
    assert rows(table)["token"][1] == "MATCHSTREAM_TOKEN"
    monkeypatch.setenv("MATCHSTREAM_TOKEN", f"{SECRET} too")
    assert matchstream("config", "check", file) == (
        2,
        "",
        ["MATCHSTREAM_TOKEN cannot be sent in a header: use only letters, digits and -._~+/"],
    )


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=4), st.booleans())
def test_a_url_is_shown_without_its_password_and_leads_to_the_same_redis(password: str, is_option: bool) -> None:
    written = quote(password, safe="")
    url = f"redis://h:1/2?password={written}&ssl_x=1" if is_option else f"redis://me:{written}@h:1/2?db=3"
    shown = without_password(url)
    assert written not in shown.replace("redis", "").replace("password", "") or written in "***"
    assert {**parse_url(shown), "password": password} == {**parse_url(url), "password": password}


def test_what_is_wrong_elsewhere_is_told_besides(
    matchstream: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATCHSTREAM_PORT", "many")
    monkeypatch.setenv("MATCHSTREAM_WORKERS", "no")
    words = ("--workers", "-1", "--speed", "fast")
    status, said, lines = matchstream("config", "check", write(tmp_path, "stage = 1"), *words)
    assert (status, said) == (2, "")
    assert [line.partition(": ")[0] for line in lines] == ["MATCHSTREAM_PORT", "--workers", "--speed", "match.toml:1"]


def test_a_variable_that_nobody_reads_is_told_and_no_fault(
    matchstream: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATCHSTREAM_STAGE", "4")
    monkeypatch.setenv("MATCHSTREAM_MAXFANS", "5")
    monkeypatch.setenv("MATCHSTREAM_PATIENCE", "5m")  # of `play`
    status, _, lines = matchstream("config", "check")
    assert status == 0
    assert lines == ["MATCHSTREAM_MAXFANS is no setting, and is passed over; did you mean MATCHSTREAM_MAX_FANS?"]


def test_doctor_takes_from_the_file_what_it_has_use_for(
    matchstream: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATCHSTREAM_CONFIG", write(tmp_path, 'stage = "3"\nnodes = 7\ngrace = "9s"'))
    status, said, errors = matchstream("doctor")
    assert (status, errors) == (0, [])
    assert said.startswith("stage 3, 7 processes")


def test_every_setting_is_listed(matchstream: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    status, table, _ = matchstream("config", "settings")
    assert status == 0
    for option in SERVE.params:
        if not option.hidden and option.name != "config":
            flag = max(option.opts, key=len)
            assert re.search(rf"^ {flag[2:]} .*\n   {flag} .*\n   {option.envvar}\b", table, re.MULTILINE), flag
    assert "MATCHSTREAM_TOKEN" in table
    assert re.search(r"--max-rate +any", table)
    assert "FANS/S from 0.001 to 1,000,000" in table


def test_a_file_to_begin_with_changes_nothing_and_can_be_uncommented(
    matchstream: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATCHSTREAM_STAGE", "3")
    status, text, errors = matchstream("config", "init")
    assert (status, errors) == (0, [])
    assert max(map(len, text.splitlines())) <= 120
    settings = re.findall(r"^#([a-z-]+) =", text, re.MULTILINE)
    nothing_set = rows(matchstream("config", "check", write(tmp_path, text))[1])
    assert {source for _, source in nothing_set.values()} == {
        "from",
        "default",
        "MATCHSTREAM_STAGE",
        "made at the start",
    }
    assert nothing_set.keys() == {"setting", *settings}
    uncommented = re.sub(r"^#([a-z-]+ = .+)$", r"\1", text, flags=re.MULTILINE)
    assert uncommented.count("\n#") < text.count("\n#")
    status, table, errors = matchstream("config", "check", write(tmp_path, uncommented))
    assert (status, errors) == (0, [])
    assert {name: value for name, (value, _) in rows(table).items()} == {
        name: value for name, (value, _) in nothing_set.items()
    }


async def test_a_server_is_told_by_a_file(tmp_path: Path) -> None:
    write(tmp_path, f'host = "{OWN_ADDRESS}"\nwith = ["backlog", "listeners"]\ntoken = "{SECRET}"\nport = 1\n')
    environ = environment(tmp_path, MATCHSTREAM_CONFIG=str(tmp_path / "match.toml"))
    with ServerProcess("0", tmp_path, environ=environ) as server:  # which gives its ports itself
        assert server.host == OWN_ADDRESS
        assert len(server.fan_ports) > 1
        async with ReporterClient(server.url, SECRET) as api:
            await Game.announced(api, "m")


async def test_nodes_have_the_token_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, f'host = "{OWN_ADDRESS}"\nnodes = 2\ntoken = "{SECRET}"\n')
    with NodesProcess(
        tmp_path, environ=environment(tmp_path, MATCHSTREAM_CONFIG=str(tmp_path / "match.toml"))
    ) as nodes:
        async with ReporterClient(nodes.url_of(1), SECRET) as api:
            await Game.announced(api, "m")
        assert SECRET not in nodes.log()


def test_where_somebody_else_has_the_file_the_program_says_so_in_one_line(tmp_path: Path) -> None:
    ended = run(environment(tmp_path, MATCHSTREAM_CONFIG="/nowhere/match.toml"), "serve", "--stage", "0")
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr == (
        "matchstream: /nowhere/match.toml: cannot be read: No such file or directory; give a file of settings\n"
    )
