"""What stage 4 has learned, in one process that is this one: the lessons for a node's fans, over those of stage 2.5."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from stages.catalogue import find_stage
from stages.stage0.db import Db
from tests.stages.in_process.conftest import api, connect, running, same_process

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from common.otp import Node
    from stages.stage0.parts import Stage

__all__ = ["api", "connect", "running", "same_process"]

LESSONS: Final = ("fd-plane", "encode-once", "write-behind", "time-slices")
SOON_S: Final = 0.02


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Stage:
    """Return the stage, which looks often for what it looks for once a second.

    Its parameter, if there is one, is how many bytes the kernel keeps for a fan.
    """
    monkeypatch.setattr("stages.stage4.fans.LOOK_S", SOON_S)
    monkeypatch.setattr("stages.stage4.fans.RESUME_S", SOON_S)
    monkeypatch.setattr("stages.stage4.audience.RESUME_S", SOON_S)
    stage = find_stage("2.5", added=LESSONS)
    room: int | None = getattr(request, "param", None)
    if room is None:
        return stage
    options = (*stage.parts.socket_options, (socket.SOL_SOCKET, socket.SO_SNDBUF, room))
    return replace(stage, parts=replace(stage.parts, socket_options=options))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return a list to which all is added that the database is asked from here on, and answered for."""
    found: list[object] = []
    query = Db.query.__func__  # type: ignore[attr-defined]  # of a class method

    def ask(cls: type[Db], node: Node, operation: Callable[..., Awaitable[Any]]) -> Awaitable[Any]:
        found.append(operation)
        answer: Awaitable[Any] = query(cls, node, operation)
        return answer

    monkeypatch.setattr(Db, "query", classmethod(ask))
    return found
