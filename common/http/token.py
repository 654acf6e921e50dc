"""The reporter's token: given by MATCHSTREAM_TOKEN, or made at each start and kept where only its owner can read it.

The file is `matchstream/token-<address>-<HTTP port>` under $XDG_RUNTIME_DIR, else $XDG_STATE_HOME, else ~/.local/state
(XDG Base Directory Specification; relative paths there are to be ignored). The address is the one that the API listens
at, in numbers, so servers at several addresses of a machine may share a port: `token-127.0.0.2-8888`, `token-::-8888`.
A server writes it and removes it; `matchstream play` of the same user finds it by the host and port of its URL:

* under the host's addresses (`localhost`: 127.0.0.1 and ::1);
* if one of them is this machine's, also under 0.0.0.0 and ::, where a server listens that listens at all of them;
* if the URL itself says 0.0.0.0 or ::, which connects to this machine, also under 127.0.0.1 and ::1.

The file written last counts: of the others the server was killed, since two cannot listen where one URL leads to. No
token of this machine is ever sent to another.
"""

import os
import re
import secrets
import socket
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from common.addresses import join
from common.state_home import NoStateHomeError, state_home

TOKEN_VARIABLE: Final = "MATCHSTREAM_TOKEN"  # noqa: S105  # its name
_DIRECTORY: Final = "matchstream"
_RANDOM_BYTES: Final = 32
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # compared with, not listened on
_LOOPBACK: Final = ("127.0.0.1", "::1")
_B64TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, 2.1: what fits behind "Bearer"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class TokenError(Exception):
    """There is no token that can be used; the message says in one line what to do."""


def given_token(environ: Mapping[str, str]) -> str | None:
    """Return the token that the environment has, None if it has none. Raise TokenError if no header can carry it."""
    given = environ.get(TOKEN_VARIABLE)
    if not given:
        return None
    check_token(given, TOKEN_VARIABLE)
    return given


def check_token(token: str, name: str) -> None:
    """Raise TokenError, which says by which name the token was given, if no header can carry it."""
    if _B64TOKEN.fullmatch(token) is None:
        raise TokenError(f"{name} cannot be sent in a header: use only letters, digits and -._~+/")


def server_token(environ: Mapping[str, str], address: str, http_port: int) -> str:
    """Return the token of the server whose API listens there; unless it is given, make and write a new one.

    `address` is in numbers, as the socket says it.

    Raise TokenError: a given one that no header can carry, a directory that is not private or cannot be written.
    """
    given = given_token(environ)
    if given is not None:
        return given
    token = secrets.token_urlsafe(_RANDOM_BYTES)
    path = _path(environ, address, http_port)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(path.parent, path.parent.lstat(), stat.S_ISDIR)
        _write(path, token)
    except OSError as error:
        message = f"cannot keep a token in {path} ({error.strerror}): set {TOKEN_VARIABLE} to one of your own"
        raise TokenError(message) from error
    return token


def forget_token(environ: Mapping[str, str], address: str, http_port: int, token: str) -> None:
    """Remove the file that `server_token` wrote, if it still holds `token`; it wrote none if the token was given."""
    if environ.get(TOKEN_VARIABLE):
        return  # a node of a system is given its parent's, whose file it must leave there
    with suppress(OSError, TokenError):
        path = _path(environ, address, http_port)
        if path.read_text(encoding="ascii", errors="replace") == token:
            path.unlink()


def client_token(environ: Mapping[str, str], host: str, http_port: int) -> str:
    """Return the token for the API at that host and port of a URL. Raise TokenError if none is found or it is open."""
    given = given_token(environ)
    if given is not None:
        return given
    path = max((_path(environ, address, http_port) for address in _addresses(host)), key=_written_s)
    try:
        _check_private(path.parent, path.parent.lstat(), stat.S_ISDIR)
        return _read(path)
    except OSError as error:
        message = (
            f"no token for {join(host, http_port)} in {path} ({error.strerror}): "
            f"run as the user who runs the server, or set {TOKEN_VARIABLE} to its token"
        )
        raise TokenError(message) from error


def _addresses(host: str) -> Sequence[str]:
    """Return the addresses at which a server may listen that is reached at `host`, in numbers."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):  # nobody will be reached there
        return (host,)
    addresses = [str(address[0]) for _, _, _, _, address in found]
    if any(_is_of_this_machine(family, address) for family, _, _, _, address in found):
        addresses += _EVERYWHERE
    if not _EVERYWHERE.isdisjoint(addresses[: len(found)]):
        addresses += _LOOPBACK
    return addresses


def _is_of_this_machine(family: int, address: tuple[object, ...]) -> bool:
    """Whether a socket can be bound there (bind(2): EADDRNOTAVAIL, if it is not local)."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(address)
        except OSError:
            return False
    return True


def _written_s(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _path(environ: Mapping[str, str], address: str, http_port: int) -> Path:
    runtime = Path(environ.get("XDG_RUNTIME_DIR", ""))
    try:
        directory = runtime if runtime.is_absolute() else state_home(environ)
    except NoStateHomeError as error:
        raise TokenError(f"there is nowhere to keep a token: {error}, or {TOKEN_VARIABLE} to a token") from error
    return directory / _DIRECTORY / f"token-{address}-{http_port}"


def _write(path: Path, token: str) -> None:
    """Put `token` into `path` at once: a reader sees all of it or none, and nobody else ever could open it."""
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _read(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        _check_private(path, os.fstat(descriptor), stat.S_ISREG)
        return file.read()


def _check_private(path: Path, found: os.stat_result, is_expected: Callable[[int], bool]) -> None:
    if not is_expected(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
        message = f"{path} is open to others, so its token cannot be trusted: remove it, or set {TOKEN_VARIABLE}"
        raise TokenError(message)
