"""A fan by WebSocket for tests: its frames are made and read by the library's own client."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Self

from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from tests.stages.stage4.browsers.browser import Browser


class SocketFan(Browser):
    """One WebSocket. It answers nothing by itself but what the library does: pings, and a close."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address)
        self._protocol: ClientProtocol
        self.frames: list[Frame] = []

    async def watch(self, match_id: str, after: str = "") -> Self:
        """Shake hands, and read the answer to that."""
        query = f"?after={after}" if after else ""
        self._protocol = ClientProtocol(parse_uri(f"ws://h/1/match/{match_id}/ws{query}"))
        self._protocol.send_request(self._protocol.connect())
        await self._flush()
        await self.read_until(lambda: bool(self._protocol.state.value))
        assert self._protocol.handshake_exc is None, self.raw
        return self

    async def say(self, frame: Frame) -> None:
        """Send a frame."""
        await self.send(frame.serialize(mask=True))

    async def read_messages(self, count: int) -> None:
        """Read until as many messages are there."""
        await self.read_until(lambda: len(self.messages) >= count)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of text."""
        return [json.loads(frame.data) for frame in self.frames if frame.opcode is Opcode.TEXT]

    @property
    def kinds(self) -> list[str]:
        """Their kinds."""
        return [message["kind"] for message in self.messages]

    @property
    def opcodes(self) -> list[Opcode]:
        """What the frames are."""
        return [frame.opcode for frame in self.frames]

    @property
    def closed(self) -> tuple[int, str]:
        """The code and the reason that the server closed with."""
        error = self._protocol.close_exc
        assert isinstance(error, ConnectionClosed)
        assert error.rcvd is not None
        return int(error.rcvd.code), error.rcvd.reason

    def told(self) -> list[str]:
        """Return the comments of the events."""
        return [message["details"]["comment"] for message in self.messages if "comment" in message["details"]]

    async def _read_some(self) -> bool:
        seen = len(self.raw)
        is_there = await super()._read_some()
        if is_there:
            self._protocol.receive_data(self.raw[seen:])
        else:
            self._protocol.receive_eof()
        self.frames += [event for event in self._protocol.events_received() if isinstance(event, Frame)]
        await self._flush()
        return is_there

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                await self.send(data)
            else:
                with suppress(OSError):  # who stands between may have closed both sides, as nginx does
                    self.say_no_more()
