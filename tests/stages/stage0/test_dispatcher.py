"""A dispatcher tells who is added how far its match has come."""

from __future__ import annotations

from datetime import UTC, datetime

from common.otp import AddHandler, DeleteHandler, Node
from stages.stage0.dispatcher import Dispatcher
from stages.stage0.messages import NO_PLACE, Dismissal, Notification, Place
from tests.virtual_time import run_virtual

AT = datetime(2011, 9, 10, 15, 0, tzinfo=UTC)


class Deaf:
    """A handler that makes nothing of what it is told."""

    def handle_event(self, event: object) -> None:
        """Pass over it."""


def test_it_answers_with_the_place_of_what_it_sent_out_last() -> None:
    async def main() -> None:
        dispatcher = await Node().start(Dispatcher(Place(4, None)))
        assert await dispatcher.call(AddHandler("a", Deaf())) == (4, None)
        dispatcher.cast(Notification(5, b"goal", is_last=False, accepted_at=AT))
        assert await dispatcher.call(DeleteHandler("a")) == (5, AT)
        dispatcher.cast(Dismissal(b"cancelled"))
        assert await dispatcher.call(AddHandler("a", Deaf())) == NO_PLACE
        dispatcher.kill()
        await dispatcher.wait()

    run_virtual(main())
