import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.http.token import TokenError, client_token, forget_token, server_token

HOST, PORT = "127.0.0.1", 8888


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    before = os.umask(0)  # the most careless of users: what is private is so by itself
    yield {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": "/nowhere"}
    os.umask(before)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "matchstream" / f"token-{HOST}-{PORT}"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_token_that_is_given_is_used_and_not_written(environ: dict[str, str], file: Path) -> None:
    environ |= {"MATCHSTREAM_TOKEN": "given-1"}
    assert server_token(environ, HOST, PORT) == client_token(environ, HOST, PORT) == "given-1"
    assert not file.parent.exists()


@pytest.mark.parametrize("given", [" ", "two words", "line\n", "señor", "a=b"])
def test_a_token_that_no_header_can_carry_is_refused(environ: dict[str, str], given: str) -> None:
    environ["MATCHSTREAM_TOKEN"] = given
    for find in (server_token, client_token):
        with pytest.raises(TokenError, match="MATCHSTREAM_TOKEN"):
            find(environ, HOST, PORT)


@pytest.mark.parametrize("unset", [{}, {"MATCHSTREAM_TOKEN": ""}])
def test_a_token_that_is_made_is_found_by_its_user_and_readable_by_nobody_else(
    environ: dict[str, str], file: Path, unset: dict[str, str]
) -> None:
    environ |= unset
    token = server_token(environ, HOST, PORT)
    assert len(token) >= 32
    assert client_token(environ, HOST, PORT) == token
    assert (mode(file.parent), mode(file)) == (0o700, 0o600)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_it_is_never_open_to_others_not_even_while_it_is_written(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[int, int]] = []
    really_open = os.open

    def watching_open(path: Path, flags: int, permissions: int = 0o777) -> int:
        descriptor = really_open(path, flags, permissions)
        made.append((flags & (os.O_CREAT | os.O_EXCL), stat.S_IMODE(os.fstat(descriptor).st_mode)))
        return descriptor

    monkeypatch.setattr(os, "open", watching_open)
    server_token(environ, HOST, PORT)
    assert made == [(os.O_CREAT | os.O_EXCL, 0o600)]


def test_each_start_makes_another_and_each_port_has_its_own(environ: dict[str, str]) -> None:
    first, second, other = (
        server_token(environ, HOST, PORT),
        server_token(environ, HOST, PORT),
        server_token(environ, HOST, PORT + 1),
    )
    assert len({first, second, other}) == 3
    assert client_token(environ, HOST, PORT) == second
    assert client_token(environ, HOST, PORT + 1) == other


def test_a_server_forgets_its_own_token_only(environ: dict[str, str], file: Path) -> None:
    older = server_token(environ, HOST, PORT)
    newer = server_token(environ, HOST, PORT)
    forget_token(environ, HOST, PORT, older)
    assert client_token(environ, HOST, PORT) == newer
    forget_token(
        environ | {"MATCHSTREAM_TOKEN": newer}, HOST, PORT, newer
    )  # a node's, which was given it by its parent
    assert client_token(environ, HOST, PORT) == newer
    forget_token(environ, HOST, PORT, newer)
    assert not file.exists()
    forget_token(environ, HOST, PORT, newer)


@pytest.mark.parametrize(
    ("variables", "where"),
    [
        ({"XDG_RUNTIME_DIR": "{}/run", "XDG_STATE_HOME": "{}/state", "HOME": "{}"}, "run"),
        ({"XDG_RUNTIME_DIR": "", "XDG_STATE_HOME": "{}/state", "HOME": "{}"}, "state"),
        ({"XDG_RUNTIME_DIR": "relative", "XDG_STATE_HOME": "../relative", "HOME": "{}"}, ".local/state"),
        ({"HOME": "{}"}, ".local/state"),
    ],
)
def test_it_is_kept_where_the_user_keeps_such_things(tmp_path: Path, variables: dict[str, str], where: str) -> None:
    environ = {name: value.format(tmp_path) for name, value in variables.items()}
    token = server_token(environ, HOST, PORT)
    assert (tmp_path / where / "matchstream" / f"token-{HOST}-{PORT}").read_text() == token


def test_without_home_it_is_the_users_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # where `Path.home` looks
    token = server_token({}, HOST, PORT)
    assert (tmp_path / ".local/state/matchstream" / f"token-{HOST}-{PORT}").read_text() == token


def test_a_missing_token_names_the_variable_that_helps(environ: dict[str, str]) -> None:
    with pytest.raises(TokenError, match=r"^no token for 127\.0\.0\.1:8888 .*MATCHSTREAM_TOKEN[^\n]*$"):
        client_token(environ, HOST, PORT)
    server_token(environ, HOST, PORT + 1)
    with pytest.raises(TokenError, match=r"^no token for 127\.0\.0\.1:8888 .*MATCHSTREAM_TOKEN[^\n]*$"):
        client_token(environ, HOST, PORT)


@pytest.mark.parametrize("permissions", [0o640, 0o604, 0o660, 0o666])
def test_a_file_that_others_may_touch_is_refused(environ: dict[str, str], file: Path, permissions: int) -> None:
    server_token(environ, HOST, PORT)
    file.chmod(permissions)
    with pytest.raises(TokenError, match=f"{file} is open to others"):
        client_token(environ, HOST, PORT)


def test_a_directory_that_others_may_touch_is_refused_by_both(environ: dict[str, str], file: Path) -> None:
    server_token(environ, HOST, PORT)
    file.parent.chmod(0o750)
    for find in (server_token, client_token):
        with pytest.raises(TokenError, match=f"{file.parent} is open to others"):
            find(environ, HOST, PORT)


def test_what_belongs_to_someone_else_is_refused(
    environ: dict[str, str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_token(environ, HOST, PORT)
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    for find in (server_token, client_token):
        with pytest.raises(TokenError, match="open to others"):
            find(environ, HOST, PORT)


def test_a_link_is_not_followed(environ: dict[str, str], file: Path, tmp_path: Path) -> None:
    server_token(environ, HOST, PORT)
    elsewhere = file.rename(tmp_path / "elsewhere")
    file.symlink_to(elsewhere)
    with pytest.raises(TokenError, match="MATCHSTREAM_TOKEN"):
        client_token(environ, HOST, PORT)


def test_a_place_that_cannot_be_written_names_the_variable_that_helps(environ: dict[str, str], tmp_path: Path) -> None:
    environ["XDG_RUNTIME_DIR"] = str(tmp_path / "file")
    (tmp_path / "file").touch()
    with pytest.raises(TokenError, match=r"^cannot keep a token in .*MATCHSTREAM_TOKEN[^\n]*$"):
        server_token(environ, HOST, PORT)


def test_a_write_that_fails_leaves_nothing_behind(environ: dict[str, str], file: Path) -> None:
    file.mkdir(parents=True)  # nothing can be moved over a directory
    file.parent.chmod(0o700)
    with pytest.raises(TokenError, match="cannot keep a token"):
        server_token(environ, HOST, PORT)
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("listens_at", "found_by"),
    [
        ("127.0.0.1", ["127.0.0.1", "localhost", "0.0.0.0"]),
        ("127.0.0.2", ["127.0.0.2"]),
        ("::1", ["::1", "::"]),
        ("0.0.0.0", ["127.0.0.1", "127.0.0.2", "localhost", "0.0.0.0"]),
        ("::", ["127.0.0.1", "127.0.0.2", "localhost", "::1", "::", "0.0.0.0"]),
    ],
)
def test_a_token_is_found_by_each_host_that_leads_to_its_server(
    environ: dict[str, str], listens_at: str, found_by: list[str]
) -> None:
    token = server_token(environ, listens_at, PORT)
    assert {client_token(environ, host, PORT) for host in found_by} == {token}
    for elsewhere in ("192.0.2.1", "2001:db8::1", "nowhere.invalid"):  # RFC 5737, 3849 and 2606: nobody's
        with pytest.raises(TokenError, match=r"^no token for "):
            client_token(environ, elsewhere, PORT)


def test_servers_at_two_addresses_have_a_token_each(environ: dict[str, str]) -> None:
    first, second = server_token(environ, "127.0.0.1", PORT), server_token(environ, "127.0.0.2", PORT)
    forget_token(environ, "127.0.0.2", PORT, second)
    assert client_token(environ, "127.0.0.1", PORT) == first


def test_what_a_killed_server_left_does_not_hide_the_token_of_the_one_that_runs(environ: dict[str, str]) -> None:
    server_token(environ, "127.0.0.1", PORT)
    left = Path(environ["XDG_RUNTIME_DIR"]) / "matchstream" / f"token-127.0.0.1-{PORT}"
    os.utime(left, (0, 0))
    running = server_token(environ, "::", PORT)
    assert client_token(environ, "127.0.0.1", PORT) == running
