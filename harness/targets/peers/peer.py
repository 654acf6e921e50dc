"""What the harness must know of another program to measure it: how to start it, what fans say, how events get in.

The comparison is of one process of each on one core, as stages 0 to 2.5 are: Redis, mosquitto and the servers
in Python have one thread anyway, nginx gets one worker, NATS one thread for Go's code. Everything else stays at its
default, except what would end a measurement early or lose what was asked for: limits of connections and open files, the
length of the accept queue, keepalives that a fan would have to answer. All of them deliver at most once, and what they
keep of a message no fan asks for.
"""

import os
import pwd
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from common.tuning.open_files import OpenFiles
from harness.load.workload import Dialogue, Endpoint
from harness.targets.publisher import Publisher
from harness.targets.target import TargetError

BACKLOG = 65_535
"""The accept queue asked for where it can be; the kernel makes it at most `net.core.somaxconn`."""

_MOST_FILES = 1 << 18
_FILES_OF_ITS_OWN = 64
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # where Debian puts servers, and where a user's PATH does not look


@dataclass(frozen=True, slots=True)
class PeerPlace:
    """Where a program is to run: a directory of its own, and the ports for fans and for posts, often the same."""

    directory: Path
    fans: Endpoint
    posts: Endpoint


@dataclass(frozen=True, slots=True)
class Peer:
    """A program and its version, its fans' dialogue, its command, which may write files into its directory first."""

    name: str
    dialogue: Dialogue
    command: Callable[[PeerPlace], Sequence[str]]
    publisher: Callable[[Endpoint], Publisher]
    has_port_for_posts: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)


def find_program(name: str, package: str) -> str:
    """Return the path of a program. Raise TargetError with what to install where there is none."""
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *_SBIN)))
    if found is None:
        raise TargetError(f"there is no {name} on this machine: apt-get install {package}")
    return found


def most_connections() -> int:
    """Return how many connections a process may hold: what its open files allow, 262,080 at most.

    Some programs allocate for each connection beforehand, so a limit in the billions would cost memory.
    """
    return min(OpenFiles.read().hard, _MOST_FILES) - _FILES_OF_ITS_OWN


def this_user() -> str:
    """Return who runs the harness, for programs that become somebody else when root starts them."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # of a user without an entry, who is not root: they stay who they are, whatever is named
        return "nobody"
