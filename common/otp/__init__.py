"""A small OTP on asyncio: gen_server, gen_event, gen_fsm, supervisor, registry, links and monitors.

Who uses it imports from here. Who reads it goes in this order:

1. `signals`: what a callback can say beside its answer, why a process ends, how a call fails;
2. `gen_server`: a server as the callbacks that a process runs; `gen_fsm`, `gen_event`, `supervisor` are such servers;
3. `process`: the mailbox, and what holds of calls, links, monitors and ends; `ties` and `tasks` are small parts of it;
4. `task_process` and `hibernation`: the two kinds of process; `scheduler`: the turns of those that have no task;
5. `node`: starts processes, and knows them by name;
6. `survey` with `footprint`, `loop_lag`, `rounds`: what an operator asks of a node, and at what cost.

`signals`, `scheduler`, `ties`, `tasks`, `loop_lag` and `rounds` import none of the others. A server has a process, that
has a node, and a node starts servers: these three name each other in their types, and only there.
"""

from common.otp.gen_event import REMOVE_HANDLER, AddHandler, DeleteHandler, GenEvent, HandlerExit
from common.otp.gen_fsm import GenFsm, StateTimeout
from common.otp.gen_server import GenServer
from common.otp.loop_lag import LoopLag, LoopLagStatistics
from common.otp.node import AlreadyStartedError, Node
from common.otp.process import Down, Exit, Monitor, Process, ReplyTo, reply
from common.otp.rounds import Rounds
from common.otp.scheduler import RunQueue
from common.otp.signals import (
    NO_PROCESS,
    NO_REPLY,
    NORMAL,
    SHUTDOWN,
    CallError,
    Failure,
    NoProcessError,
    Reason,
    Stop,
)
from common.otp.supervisor import ChildSpec, Restart, SimpleOneForOne, StartChild, Supervisor, TerminateChild
from common.otp.survey import KindStatistics, Order, ProcessStatistics, Survey, Surveyor

__all__ = [
    "NORMAL",
    "NO_PROCESS",
    "NO_REPLY",
    "REMOVE_HANDLER",
    "SHUTDOWN",
    "AddHandler",
    "AlreadyStartedError",
    "CallError",
    "ChildSpec",
    "DeleteHandler",
    "Down",
    "Exit",
    "Failure",
    "GenEvent",
    "GenFsm",
    "GenServer",
    "HandlerExit",
    "KindStatistics",
    "LoopLag",
    "LoopLagStatistics",
    "Monitor",
    "NoProcessError",
    "Node",
    "Order",
    "Process",
    "ProcessStatistics",
    "Reason",
    "ReplyTo",
    "Restart",
    "Rounds",
    "RunQueue",
    "SimpleOneForOne",
    "StartChild",
    "StateTimeout",
    "Stop",
    "Supervisor",
    "Survey",
    "Surveyor",
    "TerminateChild",
    "reply",
]
