"""nginx with nchan: fans are EventSource subscribers, a reporter posts to the channel by HTTP.

One worker process, as one core is what everybody gets. A fan starts with the newest message, not with what the channel
still holds, so each gets once what is posted after its answer.
"""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from common.addresses import join
from harness.load.workload import Dialogue, Endpoint, Protocol
from harness.targets.http_publisher import HttpPublisher
from harness.targets.payload import MARK, line_of
from harness.targets.peers.peer import BACKLOG, Peer, PeerPlace, find_program, most_connections, this_user
from harness.targets.publisher import Publisher
from harness.targets.target import TargetError

PACKAGES = "nginx libnginx-mod-nchan"

DIALOGUE = Dialogue(
    hello=b"GET /match HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n",
    welcome_end=b"",
    answer_end=b": hi\n\n",  # the comment that nchan sends a subscriber first
    mark=MARK,
    error_start=b"",
    protocol=Protocol.HTTP,
)
"""How a fan subscribes."""

_CONFIGURATION = """\
load_module {module};
daemon off;
user {user};
worker_processes 1;
worker_rlimit_nofile {files};
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections {connections}; multi_accept on; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen {address} backlog={backlog};
        location = /match {{
            nchan_subscriber eventsource; nchan_channel_id match; nchan_subscriber_first_message newest;
        }}
        location = /post {{ nchan_publisher http; nchan_channel_id match; nchan_message_buffer_length 1; }}
    }}
}}
"""


def nchan_peer() -> Peer:
    """Return nginx with nchan. Raise TargetError if one of them is not installed."""
    program = find_program("nginx", PACKAGES)
    said = subprocess.run([program, "-V"], capture_output=True, text=True, check=True).stderr  # noqa: S603 -- the program found
    version = re.search(r"nginx/(\S+)", said)
    modules = re.search(r"--modules-path=(\S+)", said)
    module = Path(modules[1] if modules else "/usr/lib/nginx/modules", "ngx_nchan_module.so")
    if not module.exists():
        raise TargetError(f"nginx has no module nchan on this machine: apt-get install {PACKAGES}")

    def command(place: PeerPlace) -> Sequence[str]:
        connections = most_connections()
        configuration = place.directory / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                module=module,
                user=this_user(),
                files=connections,
                connections=connections,
                address=join(place.fans.host, place.fans.port),
                backlog=BACKLOG,
            )
        )
        return [program, "-p", str(place.directory), "-c", str(configuration), "-e", "stderr"]

    return Peer(f"nginx {version[1] if version else ''} with nchan", DIALOGUE, command, _publisher)


def _publisher(endpoint: Endpoint) -> Publisher:
    return HttpPublisher(
        f"http://{join(endpoint.host, endpoint.port)}/post", line_of, headers={"Content-Type": "text/plain"}
    )
