"""Brokers that run already: each of them the real program, by its URL."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.store.process import find_redis_server
from harness.targets.brokers.target import BrokerTarget, broker_target, is_broker
from harness.targets.free_ports import free_endpoints
from harness.targets.peers.catalogue import peer_target
from harness.targets.target import TargetError
from tests.deploy.certificates import Certificate, needs_openssl
from tests.harness.targets.trials import assert_everyone_got_everything, small_trial
from tests.needs import needs

SCHEMES = {"redis": "redis", "nats": "nats", "mosquitto": "mqtt"}
Starts = Callable[..., None]


def at(url: str, ca: Path | None = None, *, insecure: bool = False) -> BrokerTarget:
    return broker_target(url, ca, insecure=insecure)


@pytest.fixture
def start() -> Iterator[Starts]:
    """Start programs, and end them."""
    started: list[subprocess.Popen[bytes]] = []

    def start_program(*command: str | Path) -> None:
        started.append(subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    yield start_program
    for process in started:
        process.terminate()
        process.wait(60)


def trial_when_it_serves(target: BrokerTarget) -> None:
    """Have everyone get everything, once the program that was started serves."""
    deadline = time.monotonic() + 60
    while True:
        try:
            target.start()
        except TargetError as error:
            if "nobody answers" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            break
    assert_everyone_got_everything(small_trial(target))


@pytest.mark.parametrize("kind", SCHEMES)
def test_everyone_hears_every_event_of_a_channel(kind: str) -> None:
    try:
        peer = peer_target(kind)
    except TargetError as missing:
        pytest.skip(f"needs {kind}: {missing}")
    peer.start()
    try:
        (endpoint,) = peer.endpoints
        url = f"{SCHEMES[kind]}://{endpoint.host}:{endpoint.port}/news%2Flocal"
        target = at(url)
        assert target.name == f"{SCHEMES[kind]}://{endpoint.host}:{endpoint.port}/news/local"
        result = small_trial(target)
        assert_everyone_got_everything(result)
    finally:
        peer.stop()
    assert result.asked.target.name == target.name
    assert result.server is not None  # its process was found by its port


def test_a_redis_that_asks_who_one_is(start: Starts, tmp_path: Path) -> None:
    (endpoint,) = free_endpoints("127.0.0.1", 1)
    start(find_redis_server(), "--port", str(endpoint.port), "--requirepass", "s3cret", "--save", "", "--dir", tmp_path)
    target = at(f"redis://:s3cret@127.0.0.1:{endpoint.port}/news")
    assert "s3cret" not in target.name
    trial_when_it_serves(target)
    with pytest.raises(TargetError, match=r"the answer is a refusal; it said '-WRONGPASS"):
        at(f"redis://:wrong@127.0.0.1:{endpoint.port}/news").start()
    with pytest.raises(TargetError, match=r"the answer is a refusal; it said '-NOAUTH"):
        at(f"redis://127.0.0.1:{endpoint.port}/news").start()


@needs("nats-server", "nats-server")
@pytest.mark.parametrize(("rights", "login"), [(("--user", "me", "--pass", "it"), "me:it"), (("--auth", "t"), ":t")])
def test_a_nats_that_asks_who_one_is(rights: tuple[str, ...], login: str, start: Starts) -> None:
    (endpoint,) = free_endpoints("127.0.0.1", 1)
    start("nats-server", "--addr", "127.0.0.1", "--port", str(endpoint.port), *rights)
    trial_when_it_serves(at(f"nats://{login}@127.0.0.1:{endpoint.port}/news"))
    with pytest.raises(TargetError, match="-ERR 'Authorization Violation'"):
        at(f"nats://127.0.0.1:{endpoint.port}/news").start()


@needs("mosquitto_passwd", "mosquitto")
@needs_openssl
def test_a_mosquitto_by_tls_that_asks_who_one_is(start: Starts, tmp_path: Path) -> None:
    certificate = Certificate(tmp_path)
    (endpoint,) = free_endpoints("127.0.0.1", 1)
    passwords, configuration = tmp_path / "passwords", tmp_path / "mosquitto.conf"
    passwords.touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "me", "it"], check=True, capture_output=True)
    configuration.write_text(
        f"listener {endpoint.port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
        f"certfile {certificate.chain}\nkeyfile {certificate.key}\nuser root\n"
    )
    start("mosquitto", "-c", configuration)
    trial_when_it_serves(at(f"mqtts://me:it@127.0.0.1:{endpoint.port}/news", certificate.chain))
    with pytest.raises(TargetError, match="certificate verify failed"):
        at(f"mqtts://me:it@127.0.0.1:{endpoint.port}/news").start()
    with pytest.raises(TargetError, match=r"refuses the connection: this client may not connect \(code 5\)"):
        at(f"mqtts://127.0.0.1:{endpoint.port}/news", insecure=True).start()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://127.0.0.1:1", "'redis://127.0.0.1:1' names no host and channel: write for example redis://"),
        ("nats:///news", "'nats:///news' names no host and channel"),
        ("nats://h/a%20b", "'nats://h/a%20b' names no host and channel"),
        ("mqtt://h:x/news", "'mqtt://h:x/news' is no URL of a broker"),
    ],
)
def test_what_is_no_url_of_a_broker(url: str, says: str) -> None:
    assert is_broker(url)
    with pytest.raises(TargetError) as refused:
        at(url)
    assert str(refused.value).startswith(says)


def test_only_what_speaks_tls_is_trusted_by_options() -> None:
    with pytest.raises(TargetError, match="--ca and --insecure go with rediss:// and mqtts://"):
        at("redis://h/news", insecure=True)
    assert not is_broker("http://h/news")
