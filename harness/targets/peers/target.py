"""A peer as a target: started on free ports in a directory of its own, and ended with everything it left there."""

import contextlib
import shutil
import socket
import tempfile
import time
from pathlib import Path

from common.tuning.open_files import all_open_files
from harness.interruption import sleep_interruptibly
from harness.load.workload import Dialogue, Endpoint
from harness.targets.free_ports import free_endpoints
from harness.targets.peers.peer import Peer, PeerPlace
from harness.targets.program import Program
from harness.targets.publisher import Publisher
from harness.targets.target import TargetError
from harness.targets.variant import Variant

READY_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
ORPHANS_TIMEOUT_S = 2.0
_POLL_S = 0.01


class PeerTarget:
    """The program that `peer` describes, known to `--peer` as `kind`, with as many open files as it may have."""

    def __init__(self, kind: str, peer: Peer) -> None:
        self._kind = kind
        self._peer = peer
        self._host = "127.0.0.1"
        self._place: PeerPlace | None = None
        self._program: Program | None = None

    @property
    def name(self) -> str:
        """The program and its version."""
        return self._peer.name

    @property
    def variant(self) -> Variant | None:
        """None: it is no stage."""
        return None

    @property
    def peer(self) -> str | None:
        """What `--peer` calls it."""
        return self._kind

    @property
    def publishes(self) -> bool:
        """True."""
        return True

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The one port for fans."""
        return () if self._place is None else (self._place.fans,)

    @property
    def publisher(self) -> Publisher | None:
        """Where its kind of message is published."""
        return None if self._place is None else self._peer.publisher(self._place.posts)

    @property
    def pids(self) -> tuple[int, ...]:
        """The program; the worker of nginx is its child."""
        return () if self._program is None else (self._program.pid,)

    @property
    def tunes_kernel(self) -> bool:
        """True: whoever runs such a server for many connections does so, and a tuned stage has it as well."""
        return True

    def listen_on(self, host: str) -> None:
        """Have the program listen on this address when it is started."""
        self._host = host

    def start(self) -> None:
        """Start the program and wait until it listens. Raise TargetError with its last words if it does not."""
        fans, *other = free_endpoints(self._host, 2 if self._peer.has_port_for_posts else 1)
        directory = Path(tempfile.mkdtemp(prefix="matchstream-peer-"))
        self._place = PeerPlace(directory, fans, other[0] if other else fans)
        try:
            command = self._peer.command(self._place)
            with all_open_files():  # not all programs raise the limit themselves
                self._program = Program.start(command, self._peer.environ)
            for endpoint in (fans, *other):
                self._wait_for(self._program, endpoint)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the program, and remove its directory."""
        program, self._program = self._program, None
        place, self._place = self._place, None
        try:
            if program is not None:
                program.stop(STOP_TIMEOUT_S, ORPHANS_TIMEOUT_S)
        finally:
            if place is not None:
                shutil.rmtree(place.directory, ignore_errors=True)

    def ended(self) -> str | None:
        """Return the exit status of a program that ended by itself, and the last line of its log."""
        return None if self._program is None else self._program.ended()

    def dialogue(self, match_id: str | None) -> Dialogue:
        """Return what a fan says to hear whatever is published."""
        return self._peer.dialogue

    def _wait_for(self, program: Program, endpoint: Endpoint) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            with (
                contextlib.suppress(OSError),
                socket.create_connection((endpoint.host, endpoint.port), READY_TIMEOUT_S),
            ):
                return
            if (ended := program.ended()) is not None:
                raise TargetError(f"{self.name} did not start: {ended}")
            sleep_interruptibly(_POLL_S)
        raise TargetError(f"{self.name} did not listen within {READY_TIMEOUT_S:.0f} s{program.last_words()}")
