"""The reporter's token: given by MATCHSTREAM_TOKEN, or made at each start and kept where only its owner can read it.

The file is `matchstream/token-<HTTP port>` under $XDG_RUNTIME_DIR, else $XDG_STATE_HOME, else ~/.local/state (XDG Base
Directory Specification; relative paths there are to be ignored). A server writes it and removes it; `matchstream
play` of the same user finds it.
"""

import os
import re
import secrets
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from common.state_home import NoStateHomeError, state_home

_VARIABLE: Final = "MATCHSTREAM_TOKEN"
_DIRECTORY: Final = "matchstream"
_RANDOM_BYTES: Final = 32
_B64TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, 2.1: what fits behind "Bearer"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class TokenError(Exception):
    """There is no token that can be used; the message says in one line what to do."""


def server_token(environ: Mapping[str, str], http_port: int) -> str:
    """Return the token of the server whose API listens on `http_port`; unless it is given, make and write a new one.

    Raise TokenError: a given one that no header can carry, a directory that is not private or cannot be written.
    """
    given = _given_token(environ)
    if given is not None:
        return given
    token = secrets.token_urlsafe(_RANDOM_BYTES)
    path = _path(environ, http_port)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(path.parent, path.parent.lstat(), stat.S_ISDIR)
        _write(path, token)
    except OSError as error:
        message = f"cannot keep a token in {path} ({error.strerror}): set {_VARIABLE} to one of your own"
        raise TokenError(message) from error
    return token


def forget_token(environ: Mapping[str, str], http_port: int, token: str) -> None:
    """Remove the file that `server_token` wrote, if it still holds `token`; it wrote none if the token was given."""
    if environ.get(_VARIABLE):
        return  # a node of a system is given its parent's, whose file it must leave there
    with suppress(OSError, TokenError):
        path = _path(environ, http_port)
        if path.read_text(encoding="ascii", errors="replace") == token:
            path.unlink()


def client_token(environ: Mapping[str, str], http_port: int) -> str:
    """Return the token for the API on `http_port` of this machine. Raise TokenError if none is found or it is open."""
    given = _given_token(environ)
    if given is not None:
        return given
    path = _path(environ, http_port)
    try:
        _check_private(path.parent, path.parent.lstat(), stat.S_ISDIR)
        return _read(path)
    except OSError as error:
        message = (
            f"no token for port {http_port} in {path} ({error.strerror}): "
            f"run as the user who runs the server, or set {_VARIABLE} to its token"
        )
        raise TokenError(message) from error


def _given_token(environ: Mapping[str, str]) -> str | None:
    given = environ.get(_VARIABLE)
    if not given:
        return None
    if _B64TOKEN.fullmatch(given) is None:
        raise TokenError(f"{_VARIABLE} cannot be sent in a header: use only letters, digits and -._~+/")
    return given


def _path(environ: Mapping[str, str], http_port: int) -> Path:
    runtime = Path(environ.get("XDG_RUNTIME_DIR", ""))
    try:
        directory = runtime if runtime.is_absolute() else state_home(environ)
    except NoStateHomeError as error:
        raise TokenError(f"there is nowhere to keep a token: {error}, or {_VARIABLE} to a token") from error
    return directory / _DIRECTORY / f"token-{http_port}"


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
        message = f"{path} is open to others, so its token cannot be trusted: remove it, or set {_VARIABLE}"
        raise TokenError(message)
