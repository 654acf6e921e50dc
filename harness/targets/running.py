"""What servers have in common that run already: the harness finds them, and leaves them as they are."""

from harness.interruption import interrupted_at_once
from harness.load.workload import Dialogue, Endpoint
from harness.targets.one_fan import OneFan
from harness.targets.reach import Reached, reach
from harness.targets.variant import Variant


class RunningTarget:
    """The server at the endpoints `named`, which people call `name`."""

    def __init__(self, name: str, named: tuple[Endpoint, ...]) -> None:
        self._name = name
        self._named = named
        self._reached = Reached()

    @property
    def name(self) -> str:
        """What people call it: its address as it was given, or the name of the file that describes it."""
        return self._name

    @property
    def variant(self) -> Variant | None:
        """None: which stage runs there, if any, is not known."""
        return None

    @property
    def peer(self) -> str | None:
        """None: the harness did not start it."""
        return None

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The address's ports, on the host's numeric addresses."""
        return self._reached.endpoints

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of this machine that listen there."""
        return self._reached.pids

    def start(self) -> None:
        """Make sure that the server does what it is to do, and look for its processes. Raise TargetError."""
        with interrupted_at_once():  # nothing was started yet
            reached = self.reached()
            self._try(reached.endpoints[0])
        self._reached = reached

    def reached(self) -> Reached:
        """Return the server as it can be seen from here. Raise TargetError if nobody answers."""
        return reach(self._named, self._name)

    def fan(self) -> OneFan:
        """Return one fan, to try the server with. Raise TargetError if nobody is there."""
        return OneFan(self.reached().endpoints[0], self.dialogue(None), self._name)

    def dialogue(self, match_id: str | None) -> Dialogue:
        """Return what a fan says there."""
        raise NotImplementedError

    def stop(self) -> None:
        """Leave the server as it is."""

    def ended(self) -> str | None:
        """Tell a server that can be watched, and of which no process is left."""
        return self._reached.ended()

    def _try(self, first: Endpoint) -> None:
        """Raise TargetError where the server, whose first port answers, does not do what its kind does."""
