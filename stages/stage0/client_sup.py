"""The talk's `client_sup`: a `simple_one_for_one` supervisor of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.otp import SimpleOneForOne, StartChild

if TYPE_CHECKING:
    from common.otp import Node, Process
    from stages.stage import Parts


class ClientSup(SimpleOneForOne):
    """Starts a client for each connection; one that ends is not started again, its fan connects anew."""

    NAME = "client_sup"

    def __init__(self, parts: Parts) -> None:
        super().__init__(lambda: parts.client(parts))

    @classmethod
    async def start_client(cls, node: Node) -> Process:
        """Return a new client that waits for its socket."""
        client: Process = await cls.supervisor(node).call(StartChild(()))
        return client

    @classmethod
    def supervisor(cls, node: Node) -> Process:
        """Return the process that starts clients. Raise NoProcessError while it is being restarted."""
        return node[cls.NAME]
