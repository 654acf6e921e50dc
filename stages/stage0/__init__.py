"""Stage 0, the baseline: the talk's components as a good programmer would first write them, and nothing tuned.

Slides: "Components" and "Stage 0: establishing a baseline" (the talk measured N 1,000, C 4, ART 26 s). The settings
are the defaults of their time: a backlog of 5, one Redis connection behind a gen_server that handles one call at a
time, 1,024 open files, a log line a message. Every later stage takes from here what it does not change.
"""

from common.otp import RunQueue
from common.store.redis_store import RedisStore
from stages.stage import Parts, Stage
from stages.stage0.client import Client
from stages.stage0.client_sup import ClientSup
from stages.stage0.db import Db
from stages.stage0.dispatcher import Dispatcher
from stages.stage0.listener import Listener
from stages.stage0.live_match import LiveMatch
from stages.stage0.log import log_everything
from stages.stage0.match_sup import MatchSup
from stages.stage0.server import Server, one_server
from stages.stage0.user import User
from stages.stage0.user_sup import UserSup
from stages.stage0.vm import Vm
from stages.stage0.web import Web

STAGE = Stage(
    name="0",
    parts=Parts(
        system=one_server,
        server=Server,
        listener=Listener,
        client=Client,
        client_sup=ClientSup,
        client_mgr=ClientSup,
        user=User,
        user_sup=UserSup,
        user_mgr=UserSup,
        live_match=LiveMatch,
        match_sup=MatchSup,
        dispatcher=Dispatcher,
        db=Db,
        store=RedisStore,
        web=Web,
        vm=Vm(),
        run_queue=RunQueue,
        log=log_everything,
        backlog=5,
        http_backlog=128,
        fan_listeners=1,
        http_listeners=1,
        socket_options=(),
        redis_connections=1,
        dispatchers=1,
        open_files=1024,
    ),
)
