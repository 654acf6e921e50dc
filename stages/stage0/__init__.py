"""Stage 0, the baseline: the talk's components as a good programmer would first write them, and nothing tuned.

Slides: "Components" and "Stage 0: establishing a baseline" (the talk measured N 1,000, C 4, ART 26 s). The settings
are the defaults of their time: a backlog of 5, one Redis connection behind a gen_server that handles one call at a
time, 1,024 open files, a log line a message. Every later stage takes from here what it does not change.

Hooks: what is done here in a method of its own because a later lesson does it otherwise. They stand at the end of their
class, under a comment that says so (but for `start`, `follows` and the state `running`). A test holds this table true.

| component    | hook                | filled by                           | what it decides                           |
|--------------|---------------------|-------------------------------------|-------------------------------------------|
| `Server`     | `start`             | `sysctl`                            | what is looked at once it serves          |
| `Server`     | `_children`         | `match-groups` `db-writer`          | which processes it has besides            |
| `Server`     | `_children`         | `fd-plane` `workers`                | and which not                             |
| `Server`     | `_listen` `_close`  | `workers`                           | on which sockets fans are awaited         |
| `Server`     | `_serve`            | `workers`                           | what else has to serve                    |
| `Server`     | `_drain`            | `workers` `drain`                   | what goes on before it stops              |
| `Server`     | `follows`           | `match-groups`                      | whether it may share a Redis with another |
| `Listener`   | `_accept`           | `backlog`                           | how many are accepted in one go           |
| `Listener`   | `_await_connection` | `fd-plane`                          | who sees that somebody waits              |
| `ClientSup`  | `supervisor`        | `client-managers`                   | who starts a client                       |
| `Client`     | `running`           | `monitors`                          | what a client does whose user has ended   |
| `Client`     | `_call_user`        | `monitors`                          | how it hears of its user's end            |
| `UserSup`    | `supervisor`        | `user-managers`                     | who starts a user                         |
| `UserSup`    | `start_user`        | `registered-names`                  | how a user is found                       |
| `User`       | `_begin_watching`   | `delayed-init`                      | when it subscribes                        |
| `User`       | `_hold`             | `monitors`                          | how it hears of a client's end            |
| `User`       | `_forget`           | `monitors`                          | what it does then                         |
| `User`       | `_find_dispatcher`  | `registered-names`                  | how a dispatcher is found                 |
| `User`       | `_add_handler`      | `monitors`                          | how it hears of a dispatcher's end        |
| `User`       | `_handler`          | `monitors`                          | whether its handler is supervised         |
| `MatchSup`   | `start_match`       | `registered-names`                  | how a match is found                      |
| `LiveMatch`  | `event_managers`    | `repeaters`                         | to whom users add their handlers          |
| `LiveMatch`  | `_stop_if_over`     | `reply-later`                       | when it may end                           |
| `LiveMatch`  | `_is_behind`        | `match-groups`                      | whether others may have written           |
| `LiveMatch`  | `_read` `_reload` `_notify` | `match-groups`              | what it takes note of meanwhile           |
| `LiveMatch`  | `_notification`     | `encode-once`                       | what subscribers are told with an event   |
| `LiveMatch`  | `_notification`     | `event-source` `websocket`          | likewise                                  |
| `Web`        | `backend`           | `fd-plane` `workers`                | whom the API asks                         |
| `WebBackend` | `_fans` `_handlers` | `fd-plane` `workers`                | how fans are counted                      |
| `WebBackend` | `_doors`            | `fd-plane` `workers`                | who of them is told of apart              |
| `WebBackend` | `_survey`           | `workers`                           | whose counts are told besides             |
| `WebBackend` | `readiness`         | `workers`                           | what knows whether fans are served        |
| `Readiness`  | `_check_listener`   | `workers`                           | who has to accept them                    |
| `RedisStore` | `_change`           | `match-groups`                      | who is told of a change                   |
| `RedisStore` | `visit` `close`     | `db-writer`                         | whether visits go together                |

Beside these, a lesson overrides what every OTP server has (`init`, `handle_call`, `hibernates` …), and has a
store send what it asks another way (`RedisStore._reads`, `_writes`: `reply-later`, `db-writer`). Of the parts,
`client_mgr` and `user_mgr` are for stage 2.4, `dispatchers` is for `repeaters`, and `run_queue` for `delayed-init`.
"""

from common.otp import RunQueue
from common.store.redis_store import RedisStore
from stages.stage0.client import Client
from stages.stage0.client_sup import ClientSup
from stages.stage0.db import Db
from stages.stage0.dispatcher import Dispatcher
from stages.stage0.listener import Listener
from stages.stage0.live_match import LiveMatch
from stages.stage0.log import log_everything
from stages.stage0.match_sup import MatchSup
from stages.stage0.parts import Parts, Stage
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
