"""Children that end with their parent, even when the parent is killed with SIGKILL and can clean nothing up.

What it must guarantee: a Redis or a server that a command started is not left behind when that command dies, however
it dies. Only the kernel can promise that: `prctl(PR_SET_PDEATHSIG)` (see prctl(2)) makes it send the child a signal
when the parent ends. The setting belongs to the process that makes it and survives execve(2), so this file is also a
tiny program: it makes the setting, checks that the parent did not die meanwhile, and becomes the wanted program,
which keeps the process id and finds nothing of Python left in its memory.

Rejected: `preexec_fn`, which runs Python between fork and exec and may deadlock in a program with threads (the
`subprocess` documentation warns of it); a pipe that the child watches, which needs a child that knows of it.

What to know (prctl(2)):

* "Parent" is the *thread* that started the child: start children from a thread that lives as long as they should,
  such as the main one. An asyncio loop starts its children from the thread it runs in.
* The setting is lost when the program that is started is set-user-ID or has file capabilities.
* It does not pass to the child's own children.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


class ParentDeathSignalError(Exception):
    """A program could not be tied to its parent; it was not started."""


def command_that_dies_with_parent(argv: Sequence[str], death_signal: signal.Signals = signal.SIGTERM) -> list[str]:
    """Return a command that runs `argv` and gets `death_signal` when the process that called this ends.

    Hand it to `subprocess.Popen` or `asyncio.create_subprocess_exec` in this process: started from any other it
    refuses to run, since it would be tied to the wrong one. `argv[0]` is looked up on the PATH of the child. If the
    program cannot be run the command ends with status 127 and one line on standard error.

    Raise ParentDeathSignalError on systems other than Linux.
    """
    if sys.platform != "linux":
        raise ParentDeathSignalError("only Linux can end a program together with its parent: run this on Linux")
    # -I and -S: nothing from the environment or from site-packages is imported, which makes it start in half the time.
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(death_signal)), *argv]


def python_module(module: str, *words: str) -> list[str]:
    """Return the command that runs a module of this project with `words`, by this interpreter.

    The working directory is the user's: with `-P` (python(1)) a `random.py` there is not taken for the library's.
    """
    return [sys.executable, "-P", "-m", module, *words]


def die_with_parent(parent: int, death_signal: int) -> None:
    """Have the kernel send this process `death_signal` when its parent, process `parent`, ends.

    Raise ParentDeathSignalError if the kernel refuses or if the parent has ended already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(death_signal), 0, 0, 0) != 0:
        raise ParentDeathSignalError(f"the kernel refused to signal the end of the parent: {_last_error()}")
    # Only now is a later death signalled; one before this line shows in the parent having changed.
    if os.getppid() != parent:
        raise ParentDeathSignalError(f"not started: process {parent}, which asked for it, has ended")


def _last_error() -> str:
    return os.strerror(ctypes.get_errno())


def main(arguments: Sequence[str]) -> str:
    """Become the program that `arguments` (parent, signal, argv…) name; return what went wrong if that fails."""
    parent, death_signal, *argv = arguments
    try:
        die_with_parent(int(parent), int(death_signal))
    except ParentDeathSignalError as error:
        return str(error)
    # Python ignores these two, and what is ignored stays so after exec; `subprocess` restores them for the same reason.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - no shell is wanted: the caller's words are the program's arguments
    except OSError as error:
        return f"cannot run {argv[0]}: {error.strerror}"


if __name__ == "__main__":
    sys.stderr.write(main(sys.argv[1:]) + "\n")
    sys.exit(127)
