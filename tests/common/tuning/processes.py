"""Watching processes end."""

import time

import psutil


def wait_until_ended(process: psutil.Process) -> bool:
    """Return whether `process` ends within ten seconds."""
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:  # ended; whoever inherited it has not looked yet
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.005)
    return False
