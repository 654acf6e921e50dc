"""What the harness says of a WebSocket server, held against what k6 says of it.

    python -m tests.harness.k6_client [--fans 1000] [--wave 100] [--events 20] [--rounds 5]

The server is that of ws for Node.js (`harness/targets/peers/ws_server.js`), a new process for each. Both play the same
waves, each round in turn; k6 has a virtual user for each fan. Its clock is JavaScript's, which counts milliseconds.
It needs `k6` on the PATH.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from common.tuning.children import command_that_dies_with_parent
from harness.targets.free_ports import free_endpoints
from harness.targets.peers.peer import PeerPlace
from harness.targets.peers.websockets import ws_peer
from tests.harness.plain_client import INTERVAL_S, RATE_PER_S, Load, Seen, compare

if TYPE_CHECKING:
    from collections.abc import Iterator

READY_S: Final = 10.0
"""From the start of k6 until its first wave: it makes a virtual user a millisecond or two, and a program for each."""
SETTLED_S: Final = 2.0
"""From the last wave to the first event."""
LIVE: Final = """address = 'ws://127.0.0.1:PORT/live'
[publish]
url = 'http://127.0.0.1:PORT/post'
body = 'goal #{mark} 0'
"""


@contextmanager
def served() -> Iterator[int]:
    """Give the port of a server inside, once it listens."""
    (endpoint,) = free_endpoints("127.0.0.1", 1)
    peer = ws_peer()
    command = command_that_dies_with_parent(peer.command(PeerPlace(Path(), endpoint, endpoint)))
    with subprocess.Popen(command, env=os.environ | peer.environ) as process:
        try:
            until_s = time.monotonic() + READY_S
            while not _listens(endpoint.port):
                assert time.monotonic() < until_s
            yield endpoint.port
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1):
            return True
    except urllib.error.HTTPError:  # it answers, if only that there is nothing
        return True
    except OSError:
        time.sleep(0.05)
        return False


def by_k6(port: int, load: Load) -> Seen:
    """Return what k6 says."""
    began_s = time.time() + READY_S
    words = {
        "URL": f"ws://127.0.0.1:{port}/live",
        "FANS": load.fans,
        "WAVE": load.wave,
        "INTERVAL_MS": round(INTERVAL_S * 1e3),
        "BEGAN_MS": round(began_s * 1e3),
        "EVENTS": load.events,
    }
    with tempfile.TemporaryDirectory() as directory:
        summary = Path(directory) / "summary.json"
        said = [part for name, value in words.items() for part in ("-e", f"{name}={value}")]
        script = Path(__file__).with_name("k6_fans.js")
        command = ["k6", "run", "--quiet", "--no-usage-report", "--summary-export", str(summary), *said, str(script)]
        with subprocess.Popen(command_that_dies_with_parent(command), stdout=subprocess.DEVNULL) as process:
            _post_all(port, load, began_s + (load.fans - 1) // load.wave * INTERVAL_S + SETTLED_S)
            process.wait()
        metrics = json.loads(summary.read_text())["metrics"]
    return Seen(metrics["answered"]["count"], metrics["response_ms"]["avg"] / 1e3, metrics["fanout_ms"]["avg"] / 1e3)


def _post_all(port: int, load: Load, first_s: float) -> None:
    for number in range(1, load.events + 1):
        due_s = first_s + (number - 1) / RATE_PER_S
        time.sleep(max(0.0, due_s - time.time()))
        event = f"goal #{number} {due_s * 1e3:.3f}".encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/post", data=event):
            pass


if __name__ == "__main__":
    compare("k6", served, LIVE, by_k6)
