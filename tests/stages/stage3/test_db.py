"""The `db` of a node: which way its questions go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from common.store.redis_store import RedisStore
from stages.stage0 import STAGE
from stages.stage0.db import Db
from stages.stage0.parts import layered
from stages.stage2_3.reply_later import LaterDb
from stages.stage3.remote_store import DbReader, OneDoorDb, WriterStore
from stages.stage3.requests import Requests
from tests.common.store.test_redis_store import MATCH

if TYPE_CHECKING:
    from tests.stages.stage3.system import System


@pytest.mark.parametrize("base", [Db, layered(Db, LaterDb)])
@pytest.mark.parametrize(("readers", "asked"), [(False, 3), (True, 2)])
async def test_with_readers_the_writer_is_asked_for_writes_only(
    system: System, base: type[Db], asked: int, *, readers: bool
) -> None:
    node = await system.node()
    await system.writer()
    db = layered(base, OneDoorDb)
    if readers:
        db = layered(db, DbReader)
    parts = replace(STAGE.parts, db=db, store=layered(RedisStore, WriterStore))
    await system.start(node, db(parts, system.url), Db.NAME)
    assert await db.query(node, lambda store: store.visit("ana")) == 1
    assert await db.query(node, lambda store: store.create_match(MATCH))
    assert await db.match(node, MATCH.id) == MATCH
    assert next(node.servers(Requests)).statistics().asked == asked
