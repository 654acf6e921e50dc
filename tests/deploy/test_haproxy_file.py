"""`deploy/haproxy.cfg` as it is: HAProxy takes it, and it fits the server that the environment file asks for."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Final

from common.tuning.sysctl import load_profile
from stages.catalogue import find_stage
from tests.deploy.certificates import Certificate, needs_openssl
from tests.deploy.fronts import HAPROXY, needs_haproxy
from tests.deploy.shipped import DEPLOY, changed, environment_file

if TYPE_CHECKING:
    from pathlib import Path

TEXT: Final = (DEPLOY / "haproxy.cfg").read_text()
SERVED: Final = environment_file((DEPLOY / "matchstream.env").read_text())
FANS, HTTP = 9999, 8888  # where `matchstream serve` begins, unless it is told


def servers(backend: str) -> list[tuple[str, ...]]:
    """Return the words of each `server` line of a backend, without its name."""
    section = re.split(r"^(?=\S)", TEXT.partition(f"\nbackend {backend}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return [tuple(line.split()[2:]) for line in section.splitlines() if line.startswith("    server ")]


@needs_haproxy
@needs_openssl
def test_haproxy_takes_it(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(changed(TEXT, {"/etc/haproxy/matchstream.pem": str(Certificate(tmp_path).both)}))
    assert HAPROXY is not None
    done = subprocess.run([HAPROXY, "-c", "-f", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Configuration file is valid\n", "")


def test_the_nodes_are_where_the_server_has_them() -> None:
    parts, nodes = find_stage(SERVED["MATCHSTREAM_STAGE"]).parts, int(SERVED["MATCHSTREAM_NODES"])
    asked = [HTTP + parts.http_listeners * node for node in range(nodes)]
    assert servers("api") == [(f"127.0.0.1:{port}",) for port in asked]
    assert servers("fans") == [
        (f"127.0.0.1:{FANS + parts.fan_listeners * node + listener}", "port", str(port))
        for node, port in enumerate(asked)
        for listener in range(parts.fan_listeners)
    ]


def test_browsers_are_where_the_environment_file_would_have_them() -> None:
    first = re.search(r"^#MATCHSTREAM_BROWSER_PORT=(\d+)$", (DEPLOY / "matchstream.env").read_text(), re.MULTILINE)
    assert first is not None
    assert servers("browsers") == [
        (f"127.0.0.1:{int(first[1]) + node}", "port", at.rpartition(":")[2])
        for node, (at,) in enumerate(servers("api"))
    ]


def test_whoever_is_refused_may_be_sent_to_every_port() -> None:
    assert f"retries {len(servers('fans'))}\n" in TEXT


def test_its_open_files_are_allowed_by_the_profile() -> None:
    (allowed,) = (each for each in load_profile("million").settings if each.name == "fs.nr_open")
    (limit,) = re.findall(r"^    fd-hard-limit (\d+)$", TEXT, re.MULTILINE)
    assert f"LimitNOFILE={limit}" in TEXT
    assert int(limit) <= allowed.numbers[0]
