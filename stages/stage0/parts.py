"""What a stage is: a table of parts, made from its base and its lessons. A lesson swaps a part or a setting.

The table stands here since its parts are the components of stage 0, or layers over them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from common.http.statistics import LessonTold, StageTold
from stages.farewells import Farewells
from stages.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from common.otp import RunQueue
    from common.store.redis_store import RedisStore
    from stages.options import Options, System
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
    from stages.stage0.vm import Vm
    from stages.stage0.web import Web

_Part = TypeVar("_Part")

_LAYERS: Final = "_layers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The components of a stage, by the talk's names, and the settings that its lessons turn."""

    system: Callable[[Stage, Options], System]
    server: type[Server]
    listener: type[Listener]
    client: type[Client]
    client_sup: type[ClientSup]
    client_mgr: type[ClientSup]
    """What supervises a share of the clients, where `client_sup` supervises managers."""
    user: type[User]
    user_sup: type[UserSup]
    user_mgr: type[UserSup]
    """Likewise."""
    live_match: type[LiveMatch]
    match_sup: type[MatchSup]
    dispatcher: type[Dispatcher]
    db: type[Db]
    store: type[RedisStore]
    web: type[Web]
    vm: Vm
    run_queue: type[RunQueue]
    """What gives the processes of a server's node their turns."""
    log: Callable[[], AbstractContextManager[None]]
    """Sets up logging for as long as the server runs."""

    backlog: int
    """Connections that may wait to be accepted by a listener for fans."""
    http_backlog: int
    """Connections that may wait to be accepted by a listener of the API."""
    fan_listeners: int
    """Ports on which fans are accepted, one after the other from the first."""
    http_listeners: int
    """Ports on which the API is served, likewise."""
    socket_options: tuple[tuple[int, int, int], ...]
    """(level, name, value) of what is set on a listening socket for fans; what is accepted from it inherits them."""
    redis_connections: int
    dispatchers: int
    """Processes to which the handlers of a match's users are added."""
    open_files: int
    """The soft limit on open files that the server runs under, as far as the hard one allows it."""
    fans: Any = None
    """The class of what has all fans in one process (`stages.stage4.fans`); None: there are users and clients."""
    audience: Any = None
    """The class of what subscribes to a match for all of its fans (`stages.stage4.audience`)."""
    plane: Any = None
    """The class of what holds their connections (`stages.stage4.plane`)."""
    door: Any = None
    """The class of the protocol that they speak (`stages.stage4.door`)."""
    doors: tuple[Any, ...] = ()
    """The classes of the protocols that browsers speak besides (`stages.stage4.http_front`)."""
    browser_listener: Any = None
    """The class of what accepts them."""
    server_plane: Any = None
    """The plane of one server: each has its own."""
    roster: Any = None
    """Who serves the fans of one server in its place (`stages.stage4.roster`); None: it does so itself."""
    zygote: Any = None
    """Makes what forks them (`stages.stage4.zygote_process`); None: there is nothing that could."""
    traffic: Traffic = field(default_factory=Traffic)
    """Where a server's parts count what fans do and get: each server has its own."""
    farewells: Farewells = field(default_factory=Farewells)
    """Likewise, how a server's clients part from their fans when it stops."""
    told: StageTold | None = None
    """Likewise, what a server tells of its stage; None: nobody asks it, as of a worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One optimisation of the talk: a change to the table of parts that can be made alone, or left out."""

    name: str
    teaches: str
    """What it is, in a line, for whoever lists the lessons."""
    apply: Callable[[Parts], Parts]
    needs: tuple[str, ...] = ()
    """The lessons without which it makes no sense."""
    because: str = ""
    """Why it needs them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage by the talk's number: its base, or the parts that it begins with, and the lessons that it adds."""

    name: str
    parts: Parts
    lessons: tuple[Lesson, ...] = ()
    """All that it has learned, its base's first, in the order in which they are applied."""
    left_out: tuple[str, ...] = ()
    """The names of lessons of the stage that it goes without."""
    added: tuple[str, ...] = ()
    """The names of lessons of later stages that it has all the same."""

    def followed_by(self, name: str, *lessons: Lesson) -> Stage:
        """Return the next stage: this one and some lessons more."""
        parts = self.parts
        for lesson in lessons:
            parts = lesson.apply(parts)
        return Stage(name=name, parts=parts, lessons=self.lessons + lessons)

    def new_server(self, options: Options) -> Server:
        """Return one server of this stage, which tells what it has learned."""
        lessons = tuple(LessonTold(lesson.name, lesson.teaches) for lesson in self.lessons)
        told = StageTold(self.name, lessons, self.left_out, self.added)
        return self.parts.server(replace(self.parts, told=told), options)

    def has(self, lesson: str) -> bool:
        """Tell whether the stage has learned that lesson."""
        return any(one.name == lesson for one in self.lessons)


def layered(part: type[_Part], layer: type[_Part]) -> type[_Part]:
    """Return `part` with the methods of `layer` before its own: a class that derives from both.

    A lesson writes a layer as a class derived from the baseline's component that overrides what the lesson changes and
    leaves the rest to `super()`, which is the next layer. So lessons that change the same component can be combined
    and left out freely. The class is called as the part is, since it stands for the same component of the talk.
    """
    also = {"__doc__": layer.__doc__, "__module__": layer.__module__, _LAYERS: (layer, *layers(part))}
    return type(part.__name__, (layer, part), also)


def layers(part: object) -> tuple[Any, ...]:
    """Return what `layered` has put together, the last first and the baseline's component at the end; else `part`."""
    return vars(part).get(_LAYERS, (part,)) if isinstance(part, type) else (part,)
