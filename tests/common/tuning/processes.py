"""Watching processes end."""

import time

import psutil


def wait_until_ended(process: psutil.Process) -> bool:
    """Return whether `process` ends; one that takes a minute does not."""
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:  # ended; whoever inherited it has not looked yet
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.005)
    return False
