"""What a command sees to before anything else: descriptors 0 to 2 are there, and SIGHUP ends it as SIGTERM does."""

import os
import signal
import sys
from typing import Final

_STANDARD: Final = ("stdin", "stdout", "stderr")


def open_standard_streams() -> None:
    """Open /dev/null as every one of the descriptors 0, 1 and 2 that is closed (`command <&-`).

    Else the next file or socket gets that number: what somebody prints goes there, and libuv, which never closes one of
    the three, ends the process when it is to close that.
    """
    for number, name in enumerate(_STANDARD):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this one, as those below are open
            os.set_inheritable(opened, True)
            stream = open(opened, "r" if number == 0 else "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # for good
            setattr(sys, name, stream)


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return the signals by which a command is told to end: SIGINT, SIGTERM, and SIGHUP when its terminal has gone.

    SIGHUP is left out where it is ignored: whoever started the command wants it to go on then (nohup(1)).
    """
    hangup = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGINT, signal.SIGTERM, *hangup)
