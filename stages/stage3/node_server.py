"""What a server needs to be a node: more children in its supervision tree, before all those of the baseline."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from common.otp import ChildSpec
from stages.stage import Topology, layered
from stages.stage0.server import Server
from stages.stage3.db_writer import DbWriter
from stages.stage3.match_groups import GroupedMatch, LookingMatch
from stages.stage3.requests import Requests
from stages.stage3.subscriptions import Subscriptions

if TYPE_CHECKING:
    from common.http.server import ApiServer
    from stages.stage import Options, Parts
    from stages.stage0.live_match import LiveMatch

FOLLOWERS: Final[dict[Topology, type[LiveMatch]]] = {
    Topology.CONNECTED: GroupedMatch,
    Topology.INDEPENDENT: LookingMatch,
}


class GroupServer(Server):
    """A server whose matches follow those of other nodes, in the way of its topology."""

    follows: ClassVar[bool] = True

    def __init__(self, parts: Parts, options: Options) -> None:
        follower = FOLLOWERS[options.topology]
        super().__init__(replace(parts, live_match=layered(parts.live_match, follower)), options)

    def _children(self, api: ApiServer) -> list[ChildSpec]:
        return _after_subscriptions(self.redis_url, super()._children(api))


class WriterServer(Server):
    """A server with a candidate for the one writer, and a door for what it wants written itself."""

    def _children(self, api: ApiServer) -> list[ChildSpec]:
        url, node = self.redis_url, f"{socket.gethostname()}:{os.getpid()}"
        writing = [
            ChildSpec(Requests.NAME, lambda: Requests(url, node)),
            ChildSpec(DbWriter.NAME, lambda: DbWriter(url, node)),
        ]
        return _after_subscriptions(url, [*writing, *super()._children(api)])


def _after_subscriptions(url: str, children: list[ChildSpec]) -> list[ChildSpec]:
    """Return the children behind the node's subscriptions, of which there is one whoever needs them."""
    others = [child for child in children if child.id != Subscriptions.NAME]
    return [ChildSpec(Subscriptions.NAME, lambda: Subscriptions(url)), *others]
