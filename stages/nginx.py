"""`matchstream nginx`: one address in front of all ports of a server.

The talk's advice (slide "Listeners"): "For unified urls, use nginx in front of the server". What it must guarantee: a
fan hears through nginx what it would hear without, and a reporter's post is never posted twice. Fans are passed on as
TCP (nginx's stream module), the API as HTTP. Browsers watch under the address of the API, whose pages may so open their
streams; nginx knows these by their paths, and speaks HTTP/2 with browsers where it speaks TLS.

It costs two open files a fan, one more connection in the kernel, and a copy of every event. That is the price of one
address; it makes nothing faster. Rejected: to hand out fans in turn or at random, which asks nobody how many have
stayed, so that a node that comes back would be nearly empty for the rest of the match.

What an operator adds (TLS: `deploy/nginx`) stands in files of its own, which the configuration includes where they are:
it can be printed anew for other ports, and they stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from string import Template
from typing import TYPE_CHECKING, Final

import msgspec

from common.addresses import join, parse, reachable
from common.http.answers import Checkin, Problem
from common.http.api import MAX_BODY_BYTES
from common.tuning.open_files import OpenFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from common.addresses import HostPorts

FANS: Final = "127.0.0.1:9999-10002"
HTTP: Final = "127.0.0.1:8888-8891"
"""Where a stage with several listeners serves unless it is told otherwise."""
LISTEN_FANS: Final = 9990
LISTEN_HTTP: Final = 8880
"""Below the ports of the stages, which grow upwards from 9999 and 8888 with listeners and nodes."""
STREAM_MODULE: Final = "/usr/lib/nginx/modules/ngx_stream_module.so"
"""Where Debian's libnginx-mod-stream puts it."""

FEWEST_OPEN_FILES: Final = 1024
_MOST_OPEN_FILES: Final = 65_536
"""Unless more are asked for: nginx takes some 400 bytes for each when it starts, used or not."""
_OTHER_FILES: Final = 256
"""Of a worker, beside connections: logs, epoll, and the listening sockets of all workers (SO_REUSEPORT)."""
_SOURCE_PORTS: Final = 28_232
"""From one address towards one port, by the kernel's own net.ipv4.ip_local_port_range, 32768 to 60999."""

# What nginx takes for a name: nothing that ends a directive, and not `unix`, after which it expects a path.
_HOST: Final = re.compile(r"(?!unix$)[a-z0-9_][a-z0-9._-]*", re.IGNORECASE | re.ASCII)


class NginxError(Exception):
    """There is no such configuration; the message says in one line what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What stands in front of what, as a user says it."""

    fans: Sequence[str]
    """Where the server serves fans: each `HOST:PORT` or `HOST:PORT-PORT`."""
    http: Sequence[str]
    """Where it serves the API, likewise."""
    browsers: Sequence[str]
    """Where it serves browsers, likewise; nowhere, if there are none."""
    host: str
    """Where nginx listens; an IPv6 address without brackets."""
    listen_fans: int
    listen_http: int
    directory: Path
    """For the process id, the log and the files that nginx insists on; nginx creates it no more than this does."""
    open_files: int | None = None
    """Of each worker; None: what this process may have, up to 65,536."""


def configuration(front: Front) -> str:
    """Return a complete configuration for nginx 1.22 or newer, as Debian 12 has it.

    Raise AddressError or NginxError for what nginx could not read or would serve to itself.
    """
    fans, http, browsers = (_endpoints(texts) for texts in (front.fans, front.http, front.browsers))
    listen_fans, listen_http = (join(front.host, port) for port in (front.listen_fans, front.listen_http))
    for address in (listen_fans, listen_http):
        _parse(address)
    if front.listen_fans == front.listen_http:
        raise NginxError(f"fans and the API cannot share port {front.listen_http}: choose another --listen-http")
    for port in (front.listen_fans, front.listen_http):
        _refuse_itself(front.host, port, (*fans, *http, *browsers))
    open_files = min(OpenFiles.read().hard, _MOST_OPEN_FILES) if front.open_files is None else front.open_files
    if open_files < FEWEST_OPEN_FILES:
        raise NginxError(f"{open_files} open files are too few for nginx: give --open-files 1024 or more")
    connections = open_files - _OTHER_FILES
    return _TEMPLATE.substitute(
        stream_module=STREAM_MODULE,
        directory=_in_quotes(str(front.directory.absolute())),
        open_files=open_files,
        connections=connections,
        fans_a_worker=f"{connections // 2:,}",
        listen_fans=listen_fans,
        both_families=" ipv6only=off" if ":" in front.host and _is_any(front.host) else "",
        listen_fans_port=front.listen_fans,
        listen_http=listen_http,
        fan_servers=_servers(fans),
        http_servers=_servers(http),
        fan_zone_kb=_zone_kb(fans),
        http_zone_kb=_zone_kb(http),
        browser_servers=_BROWSER_SERVERS.substitute(servers=_servers(browsers), zone_kb=_zone_kb(browsers))
        if browsers
        else "",
        browser_location=_BROWSER_LOCATION if browsers else "",
        fans_by_source_ports=f"{_SOURCE_PORTS * len(fans):,}",
        max_body=MAX_BODY_BYTES,
        checkin_start=_json(Checkin(0)).removesuffix("0}"),
        too_large=_json(Problem(f"the body is too large: send at most {MAX_BODY_BYTES} bytes")),
        away=_json(Problem("no server answers behind nginx: try again; after a POST read the match first")),
    )


def _endpoints(texts: Sequence[str]) -> Sequence[tuple[str, int]]:
    """Return host and port of all that is named, each once and in that order."""
    named = (_parse(text) for text in texts)
    return tuple(dict.fromkeys((reachable(at.host), port) for at in named for port in at.ports))


def _parse(text: str) -> HostPorts:
    found = parse(text)
    if ":" not in found.host and not _HOST.fullmatch(found.host):
        raise NginxError(f"{found.host!r} is no host that nginx can read: give a name or an address")
    return found


def _refuse_itself(host: str, port: int, behind: Iterable[tuple[str, int]]) -> None:
    """Raise NginxError if nginx would connect to itself, as far as that can be told from addresses."""
    for server, its_port in behind:
        if its_port == port and (server == host or (_is_any(host) and _is_loopback(server))):
            raise NginxError(
                f"nginx cannot listen on port {port}, since a server of --fans, --http or --browsers has it: "
                "choose another"
            )


def _is_any(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _servers(endpoints: Iterable[tuple[str, int]]) -> str:
    return "\n".join(f"        server {join(*at)} max_fails=3 fail_timeout=5s;" for at in endpoints)


def _zone_kb(endpoints: Sequence[tuple[str, int]]) -> int:
    """Return a size for what all workers know of these servers: 1 KB for each address, and a name may have four."""
    return 64 + 4 * len(endpoints)


def _in_quotes(path: str) -> str:
    """Return what nginx reads as `path` between double quotes."""
    return path.replace("\\", "\\\\").replace('"', '\\"')


def _json(answer: Checkin | Problem) -> str:
    return msgspec.json.encode(answer).decode()


class _Percent(Template):
    """A template whose variables start with %, since nginx's start with $."""

    delimiter = "%"


_BROWSER_SERVERS: Final = _Percent("""\

    map $http_upgrade $connection_to_browsers {
        default upgrade;  # a WebSocket
        "" "";
    }
    upstream browsers {
        zone browsers %{zone_kb}k;
        least_conn;
%{servers}
    }
""")
_BROWSER_LOCATION: Final = """\

        # What browsers watch by, which does not end: it is sent on as it comes. Heartbeats are well within the 60 s
        # after which nginx gives a server up that says nothing (proxy_read_timeout).
        location ~ ^/1/match/[^/]+/(stream|ws)$ {
            proxy_pass http://browsers;
            proxy_buffering off;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_to_browsers;
            proxy_set_header Host $http_host;  # where a header is set, those from above are not
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }

        # The page of a match, and what belongs to it.
        location ~ ^/match(/[^/]+|[.]css|[.]js)$ {
            proxy_pass http://browsers;
        }
"""

_TEMPLATE: Final = _Percent("""\
# One address in front of all ports of a Match Stream server. For nginx 1.22 or newer with its stream module; on Debian:
# apt-get install nginx libnginx-mod-stream. It needs no root, and has nothing to do with Debian's own nginx service.
#
#     /usr/sbin/nginx -t -c "$PWD/nginx.conf"          # is it right?
#     /usr/sbin/nginx -c "$PWD/nginx.conf"             # serve (with -g 'daemon off;': in the foreground)
#     /usr/sbin/nginx -s reload -c "$PWD/nginx.conf"   # after a change; fans who are connected stay (-s stop: end)
#
# Fans connect to %{listen_fans}, reporters to http://%{listen_http}. To the server all fans come from nginx.
#
# For more, such as TLS (deploy/nginx has it), there are fans.d/*.conf and api.d/*.conf beside this file: they are read
# inside the two `server` blocks below, and need not be there.

# Debian builds the stream module as a file of its own. The path is absolute: any other starts at nginx's prefix (-p).
load_module %{stream_module};

pid "%{directory}/nginx.pid";
error_log "%{directory}/nginx-error.log" warn;

worker_processes auto;  # one a core
# A fan costs two open files, its own connection and the one to the server: this is %{fans_a_worker} fans a worker.
# Only root may have more than `ulimit -Hn`; if this is more, nginx says so in its log and goes on with `ulimit -Sn`.
worker_rlimit_nofile %{open_files};

events {
    worker_connections %{connections};  # both ends of every fan; what is left is for logs and listening sockets
    multi_accept on;  # take a whole wave at once, not one fan a turn
}

stream {
    # From one address to one port there are some 28,000 connections at most, one for each source port
    # (net.ipv4.ip_local_port_range); to all ports below, %{fans_by_source_ports}. More ports of the server carry more.
    upstream fans {
        zone fans %{fan_zone_kb}k;  # the counts are those of all workers, not of each
        least_conn;  # fans stay for hours: whoever has the fewest gets the next one, also after a node came back
        # A port that fails three times in 5 s is left out for 5 s. With the default, one time and 10 s, a wave that
        # overflows an accept queue would take all ports of a server that lives out of service.
%{fan_servers}
    }

    server {
        # backlog: a wave waits here; the kernel cuts it to net.core.somaxconn.
        # reuseport: an accept queue for each worker, so that none runs out of connections while others have them.
        # so_keepalive: a fan who vanished is found after 5 min and four probes 30 s apart. The kernel's own
        # first probe comes after two hours, when the match is over.
        listen %{listen_fans}%{both_families} backlog=65535 reuseport so_keepalive=5m:30s:4;
        include fans.d/*.conf;
        proxy_pass fans;

        # A dead node refuses at once and the next one is asked; a dead machine says nothing. 4 s are short, and let a
        # SYN that a full accept queue dropped come again twice, after 1 and 3 s.
        proxy_connect_timeout 4s;
        proxy_next_upstream on;
        proxy_next_upstream_timeout 12s;

        # How long nothing may be said in either direction: fans come early, half time is silent, and a match that was
        # announced may start late. The default, 10 min, would end all fans at half time.
        proxy_timeout 3h;
        proxy_socket_keepalive on;  # a server that vanished is found, as late as net.ipv4.tcp_keepalive_time says

        tcp_nodelay on;  # an event is sent when it comes (nginx's default, and what everything here is about)
        proxy_buffer_size 4k;  # one for each direction: 8 KB a fan, not 32; an event has some hundred bytes
        # proxy_half_close stays off: a fan who keeps its end open after the last event would cost two files for 3 h.
    }
}

http {
    access_log off;
    server_tokens off;

    # nginx creates these when it starts. Nothing is ever written to them: bodies and answers stay in memory, see below.
    client_body_temp_path "%{directory}/nginx-temp";
    proxy_temp_path "%{directory}/nginx-temp";
    fastcgi_temp_path "%{directory}/nginx-temp";
    scgi_temp_path "%{directory}/nginx-temp";
    uwsgi_temp_path "%{directory}/nginx-temp";

    upstream api {
        zone api %{http_zone_kb}k;
        least_conn;
%{http_servers}
        keepalive 16;  # connections that each worker keeps open, so that a post needs no new one
        keepalive_timeout 30s;  # less than the API's own, so that no post meets a connection that is being closed
    }
%{browser_servers}
    server {
        listen %{listen_http}%{both_families} backlog=65535;
        set $fans_port %{listen_fans_port};  # what /1/checkin hands out; who comes by TLS may be given another
        include api.d/*.conf;

        client_max_body_size %{max_body};  # the API's own limit: what it would refuse does not get to it
        client_body_buffer_size %{max_body};
        proxy_max_temp_file_size 0;

        # Also of a POST, but only while nothing of it was sent: a post is never posted twice (`non_idempotent` is off).
        proxy_next_upstream error timeout;
        proxy_next_upstream_timeout 8s;  # and 2 s for the last try: within the 10 s that `matchstream play` waits
        proxy_connect_timeout 2s;

        proxy_http_version 1.1;  # with the empty Connection: what keepalive needs
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;  # who asked; to the server, nginx did

        # What nginx itself refuses is said as the API says it: in JSON, and 503 where a reporter should try again.
        error_page 413 @too_large;
        error_page 502 504 = @away;

        location / {
            proxy_pass http://api;
        }
%{browser_location}
        # The server names a port of its own, which leads past nginx if it can be reached at all. Whoever asks here is
        # given nginx's; the server's is kept beside it. (nginx cannot compute an answer, only replace text in it.)
        location = /1/checkin {
            proxy_pass http://api;
            sub_filter_types application/json;
            sub_filter '%{checkin_start}' '%{checkin_start}$fans_port,"server_port":';
        }
        location @too_large {
            default_type application/json;
            add_header Access-Control-Allow-Origin * always;
            return 413 '%{too_large}';
        }
        location @away {
            default_type application/json;
            add_header Access-Control-Allow-Origin * always;
            add_header Retry-After 1 always;
            return 503 '%{away}';
        }
    }
}
""")
