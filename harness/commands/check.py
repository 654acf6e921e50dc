"""`harness check`: one fan, to see whether a server was described as it is."""

import asyncio
from typing import Annotated

import typer

from common.domain.posts import Shot
from harness.commands.grouped import grouped
from harness.commands.options import AskedError
from harness.commands.target_options import Whom, target_of
from harness.show.terminal import say
from harness.show.transcript import transcript_lines
from harness.targets.brokers.target import BrokerTarget
from harness.targets.custom import CustomTarget
from harness.targets.one_fan import OneFan
from harness.targets.publisher import Publisher
from harness.targets.target import TargetError

_NUMBER = 1


@grouped
def check(
    *,
    whom: Whom,
    listen: Annotated[
        float, typer.Option("--listen", min=0.1, help="Seconds to wait for an event after the answer.")
    ] = 5.0,
) -> None:
    """Play one fan of a server that was described, and show what was said, heard and recognised.

    Where it is described how events are posted, one is: number 1. Otherwise any event of the server's own will do.

    The exit status is 0 if the answer and an event were recognised, 1 if no event came, 2 if the server does not do as
    described.
    """
    target = target_of(whom)
    if not isinstance(target, CustomTarget | BrokerTarget):
        raise AskedError(
            "check plays a fan of somebody else's server: give --target URL, or a FILE.toml that describes it"
        )
    fan = target.fan()
    try:
        heard = _play(fan, target.publisher, listen)
    finally:  # what was said is told, whatever becomes of it
        say("\n".join(transcript_lines(fan.transcript, target.dialogue(None).protocol)))
    if not heard:
        say(f"no event was recognised within {listen:g} s: is `mark` what stands before its number?")
        raise typer.Exit(1)
    say("the answer and an event were recognised: measure it, for example with -N 100 -C 10")


def _play(fan: OneFan, publisher: Publisher | None, listen_s: float) -> bool:
    """Return whether an event was recognised."""
    with fan:
        fan.converse()
        number = None if publisher is None else asyncio.run(_post_one(publisher))
        heard = fan.listen(listen_s, number)
        fan.leave()
    return heard


async def _post_one(publisher: Publisher) -> int:
    """Post an event, and return its number. Raise TargetError where it is not accepted."""
    async with publisher.connected() as poster:
        try:
            await poster.post_event("", Shot(team="home", comment=f"#{_NUMBER}"))
        except publisher.refusals as error:
            raise TargetError(f"{publisher.url}: the event was not accepted: {error}") from error
    return _NUMBER
