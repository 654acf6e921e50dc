"""What `reply-later` makes of Redis: questions go out together in one write, and each asker is answered later.

As long as an operation waited for its answer before the next was begun, there was one question a write. Now all that
were asked since the last write are there together: they share one exchange over one connection (Redis calls it
pipelining).
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from common.store.coalescing import Coalescer
from common.store.connections import refusal_in
from common.store.redis_store import RedisStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from common.store.connections import Connections
    from common.store.endpoint import Argument
    from common.store.errors import StoreUnavailableError

    Command = tuple[Argument, ...]

PAUSE_S: Final = 0.002
"""The time from one exchange to the next: what is asked after a pause goes at once, what is asked in a crowd collects.

N 8,000, C 1,000, stage 2.5: 212 µs of CPU a connection and ART 82 ms (two runs). With no pause, but at most two
exchanges under way: 259 to 269 µs and 104 to 116 ms (four runs), since Redis answers so soon that little collects.
"""


class Batches:
    """Carries commands out over `connections`, together with those that others ask for at the same time.

    A command still goes out once, and in one exchange after those that were asked for before it. A failure of the
    exchange is everybody's who shares it: StoreUnavailableError. A command that Redis refuses is its asker's alone.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._questions = Coalescer(self._exchange, "redis-exchange", pause_s=PAUSE_S)

    async def call(self, *command: Argument) -> Any:
        """Have one command carried out and return its answer. Raise StoreUnavailableError."""
        (answer,) = await self.call_all((command,))
        return answer

    async def call_all(self, commands: Sequence[Command]) -> list[Any]:
        """Have commands carried out in order and return their answers. Raise StoreUnavailableError."""
        return await self._questions.ask(commands)

    async def _exchange(self, questions: list[Sequence[Command]]) -> list[list[Any] | StoreUnavailableError]:
        answers = iter(await self._connections.answers([command for question in questions for command in question]))
        each = [list(islice(answers, len(question))) for question in questions]
        return [refusal_in(mine) or mine for mine in each]


class BatchingStore(RedisStore):
    """Asks Redis in batches."""

    def __init__(
        self, url: str, connections: int = 1, *, connect_timeout: float = 2.0, command_timeout: float = 5.0
    ) -> None:
        super().__init__(url, connections, connect_timeout=connect_timeout, command_timeout=command_timeout)
        self._reads = self._writes = Batches(self._redis)
