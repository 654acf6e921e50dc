"""A stage of this project, started for the trial by its command line, as any user would, and ended with it."""

import re
import secrets
import tempfile
import time
from collections.abc import Sequence
from typing import IO

import psutil

from common.addresses import reachable
from harness.interruption import sleep_interruptibly
from harness.load.workload import Dialogue, Endpoint
from harness.records.asked import Disturbances
from harness.targets.api_publisher import ApiPublisher
from harness.targets.doors import door_dialogue
from harness.targets.far_redis import FarRedis
from harness.targets.lessons import MATCHSTREAM, lessons_of
from harness.targets.program import Program, tail
from harness.targets.target import TargetError, match_stream_dialogue, parse_address, show_address
from harness.targets.variant import Variant

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0
"""Stage 2.1 takes up to 25 s to close 20,000 fans on a slow machine; if it is killed, its Redis leaves a directory."""
NODE_TIMEOUT_S = 2.0
"""What each process beyond the first adds to both: to start a Python takes half a second of a core, and there may be
more processes than cores.
"""
ORPHANS_TIMEOUT_S = 5.0
"""How long its other processes may outlive the server's first one, which should have ended them."""

_READY = re.compile(r"^ready fans=(?P<fans>\S+) http=(?P<http>\S+)(?: browsers=(?P<browsers>\S+))?$", re.MULTILINE)
_POLL_S = 0.02
_SYSCTL = "sysctl"  # the lesson by which a stage has the kernel's settings of the profile `server`
_PORT = "--port"  # of `matchstream serve`; a node is one, as a child of the first process
_RESUME = "resume"  # … that by which fans can go on where they were


class StageTarget:
    """A stage, on free ports, with an embedded Redis and a token of its own.

    The server has its own session, so that Ctrl-C in a terminal reaches the harness alone, which then takes its match
    back and ends the server in order, with all its nodes; if the harness is killed the kernel ends the server.
    """

    def __init__(self, variant: Variant, command: Sequence[str] = MATCHSTREAM) -> None:
        self._variant = variant
        self._command = tuple(command)
        self._host = "127.0.0.1"
        self._others_s = NODE_TIMEOUT_S * (variant.processes - 1)
        self._token = secrets.token_urlsafe(32)
        self._running: Program | None = None
        self._endpoints: tuple[Endpoint, ...] = ()
        self._api: ApiPublisher | None = None
        self._disturbances = Disturbances()
        self._far_redis: FarRedis | None = None

    @property
    def name(self) -> str:
        """The stage's number, and how it differs from it."""
        return self._variant.name

    @property
    def variant(self) -> Variant | None:
        """What was asked for."""
        return self._variant

    @property
    def peer(self) -> str | None:
        """None: it is this project's."""
        return None

    @property
    def publishes(self) -> bool:
        """True: every stage has an API."""
        return True

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """What the server printed as `fans=`, or where they come by a door for browsers, as `browsers=`."""
        return self._endpoints

    @property
    def publisher(self) -> ApiPublisher | None:
        """The API at the first port that the server printed as `http=`."""
        return self._api

    @property
    def pids(self) -> tuple[int, ...]:
        """The server's first process, whose children are nodes, and a Redis that is none of its children."""
        server = () if self._running is None else (self._running.pid,)
        return server if self._far_redis is None else (*server, self._far_redis.pid)

    @property
    def tunes_kernel(self) -> bool:
        """Whether the stage, as it is to be started, has the lesson `sysctl`. Raise TargetError if there is no such."""
        return self._has(_SYSCTL)

    def listen_on(self, host: str) -> None:
        """Have the server listen on this address when it is started."""
        self._host = host

    def disturb(self, disturbances: Disturbances) -> None:
        """Have the server's Redis so far away, its files so few, and it break what it was told to, when it is started.

        Raise TargetError where nodes are to stop, and none would be left.
        """
        if disturbances.stops and disturbances.stops >= (self._variant.nodes or 1):
            raise TargetError(
                f"{self.name}: of its nodes {disturbances.stops} are to stop, and another must be left for their fans: "
                "give more --nodes"
            )
        self._disturbances = disturbances

    def stop_nodes(self, count: int) -> None:
        """Tell so many of its nodes to stop, as who takes one out of service does, those with the highest ports.

        They are not waited for. The server's first process starts them again.
        """
        assert self._running is not None  # noqa: S101 -- it was started
        commands = {child: child.cmdline() for child in psutil.Process(self._running.pid).children()}
        nodes = {int(words[words.index(_PORT) + 1]): child for child, words in commands.items() if _PORT in words}
        for port in sorted(nodes)[-count:]:
            nodes[port].terminate()

    def start(self) -> None:
        """Start the server and wait until it is ready. Raise TargetError with the last line of its log if it is not."""
        where = ["--host", self._host, _PORT, "0", "--http-port", "0"]
        if self._disturbances.redis_latency_s:
            self._far_redis = FarRedis.start(self._disturbances.redis_latency_s)
            where += ["--redis", self._far_redis.url]
        if self._disturbances.faults:
            where += ["--faults", self._disturbances.faults]
        command = (*self._command, "serve", *self._variant.options, *where)
        if self._disturbances.open_files:
            command = ("sh", "-c", 'ulimit -n "$0" && exec "$@"', str(self._disturbances.open_files), *command)
        with tempfile.TemporaryFile() as output:
            self._running = Program.start(command, {"MATCHSTREAM_TOKEN": self._token}, output)
            try:
                ready = self._wait_until_ready(self._running, output)
                fans, http = (parse_address(ready[who]) for who in (self._fans_at, "http"))
            except BaseException:
                self.stop()
                raise
        self._endpoints = tuple(map(_reachable, fans))
        first, *others = (f"http://{address}" for address in show_address(tuple(map(_reachable, http))))
        self._api = ApiPublisher(first, self._token, tuple(others))

    def stop(self) -> None:
        """End the server: SIGTERM, and SIGKILL if that does not help in time; none of its processes is left."""
        running, self._running = self._running, None
        far_redis, self._far_redis = self._far_redis, None
        try:
            if running is not None:
                running.stop(STOP_TIMEOUT_S + self._others_s, ORPHANS_TIMEOUT_S)
        finally:
            if far_redis is not None:
                far_redis.stop()

    def ended(self) -> str | None:
        """Return the exit status of a server that ended by itself, and the last line of its log.

        A node that ends while the first process goes on is not its end; the observer sees it.
        """
        return None if self._running is None else self._running.ended()

    def dialogue(self, match_id: str | None) -> Dialogue:
        """Return a fan's part in the stages' protocol, or by the door. Raise TargetError for a door to no match.

        Who connects again has numbers where the stage has them.
        """
        if self._variant.door is None:
            numbers = bool(self._disturbances.reconnect_cap_s) and self._has(_RESUME)
            return match_stream_dialogue(match_id, numbers=numbers)
        if match_id is None:
            raise TargetError(f"by {self._variant.door} fans say which match they watch, and there is none")
        return door_dialogue(self._variant.door, match_id)

    def _has(self, lesson: str) -> bool:
        """Whether the stage, such as it is started, has a lesson. One that was asked for by name is not looked up."""
        if lesson in self._variant.with_lessons:
            return True
        if lesson in self._variant.without_lessons:
            return False
        return lesson in lessons_of(self._variant.stage, self._command)

    @property
    def _fans_at(self) -> str:
        """What the server calls its ports for the fans of the trial."""
        return "fans" if self._variant.door is None else "browsers"

    def _wait_until_ready(self, running: Program, output: IO[bytes]) -> re.Match[str]:
        patience_s = READY_TIMEOUT_S + self._others_s
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            # Looked at before the output: a server that says `ready` and ends at once has been ready.
            ended = running.ended()
            found = _READY.search(tail(output))
            if found is not None:
                return found
            if ended is not None:
                raise TargetError(f"{self.name} did not start: {ended}")
            sleep_interruptibly(_POLL_S)
        raise TargetError(f"{self.name} did not get ready within {patience_s:.0f} s{running.last_words()}")


def _reachable(at: Endpoint) -> Endpoint:
    return Endpoint(reachable(at.host), at.port)
