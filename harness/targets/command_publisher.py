"""Publishing by a command: one run of a program an event."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from common.domain.posts import Post
from harness.load.match import MatchPlan
from harness.targets.payload import number_of

MARK = "{mark}"
ANSWER_TIMEOUT_S = 10.0
_EXCERPT_CHARACTERS = 200


class CommandFailedError(Exception):
    """The program ended with another exit status than 0, or not in time; the message has its last words."""


@dataclass(frozen=True, slots=True)
class CommandPublisher:
    """Runs `command` with the number of the event in the place of `{mark}`; an exit status of 0 accepts the event."""

    command: Sequence[str]
    closes_fans: bool = False

    @property
    def url(self) -> str:
        """The command, for people to read."""
        return " ".join(self.command)

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """A program that fails, or that there is not."""
        return (CommandFailedError, OSError)

    def announced(self, match: MatchPlan) -> contextlib.AbstractContextManager[None]:
        """There is nothing to announce."""
        return contextlib.nullcontext()

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator["CommandPublisher"]:
        """Return what runs the command; it has no connection."""
        yield self

    async def post_event(self, match_id: str, post: Post) -> None:
        """Run the command, and wait until it ends. Raise CommandFailedError, OSError."""
        words = [word.replace(MARK, str(number_of(post))) for word in self.command]
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                _, said = await process.communicate()
        except TimeoutError:
            raise CommandFailedError(f"{words[0]} did not end within {ANSWER_TIMEOUT_S:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            last_words = " ".join(said.decode(errors="replace").split())[-_EXCERPT_CHARACTERS:]
            raise CommandFailedError(f"{words[0]} ended with {process.returncode}: {last_words or 'it said nothing'}")
