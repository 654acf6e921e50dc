"""Anyone's server of lines, of an HTTP stream or of WebSockets, which runs already and was described."""

from harness.load.workload import Dialogue, Endpoint
from harness.targets.description import Described
from harness.targets.http_publisher import HttpPublisher
from harness.targets.one_fan import OneFan
from harness.targets.publisher import Publisher
from harness.targets.running import RunningTarget
from harness.targets.tls import refuse_untrusted


class CustomTarget(RunningTarget):
    """The server `described`, which people call `name`."""

    def __init__(self, name: str, described: Described) -> None:
        super().__init__(name, described.named)
        self._described = described

    @property
    def publishes(self) -> bool:
        """Whether it was said how."""
        return self._described.publisher is not None

    @property
    def publisher(self) -> Publisher | None:
        """How events are posted, if it was said."""
        return self._described.publisher

    def dialogue(self, match_id: str | None) -> Dialogue:
        """Return a fan's part as it was described."""
        return self._described.dialogue

    def _try(self, first: Endpoint) -> None:
        """Make sure that one fan is answered as described, and that events may be posted by TLS. Raise TargetError."""
        with OneFan(first, self._described.dialogue, self.name) as fan:
            fan.converse()
            fan.leave()
        if isinstance(self.publisher, HttpPublisher):
            refuse_untrusted(self.publisher.url)
