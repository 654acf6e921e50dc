"""What a stage is: a table of parts. A lesson swaps a part or a setting; a stage is its base and its lessons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.stage0.client import Client
    from stages.stage0.client_sup import ClientSup
    from stages.stage0.db import Db
    from stages.stage0.dispatcher import Dispatcher
    from stages.stage0.listener import Listener
    from stages.stage0.live_match import LiveMatch
    from stages.stage0.match_sup import MatchSup
    from stages.stage0.server import Server
    from stages.stage0.user import User
    from stages.stage0.user_sup import UserSup
    from stages.stage0.web import Web


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where a server serves and what it stands on: the choices of whoever starts it, the same for every stage."""

    host: str
    port: int
    """For fans; 0 for any free one."""
    http_port: int
    """For the API; 0 for any free one."""
    redis_url: str | None
    """None for an embedded Redis of its own, which `stages.serve` starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The components of a stage, by the talk's names, and the settings that its lessons turn."""

    server: type[Server]
    listener: type[Listener]
    client: type[Client]
    client_sup: type[ClientSup]
    user: type[User]
    user_sup: type[UserSup]
    live_match: type[LiveMatch]
    match_sup: type[MatchSup]
    dispatcher: type[Dispatcher]
    db: type[Db]
    web: type[Web]

    backlog: int
    """Connections that may wait to be accepted, on each listening socket."""
    redis_connections: int
    open_files: int
    """The soft limit on open files that the server runs under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage by the talk's number, and its parts."""

    name: str
    parts: Parts
