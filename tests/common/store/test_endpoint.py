import pytest

from common.store.endpoint import RedisEndpoint
from common.store.errors import RedisUrlError


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://localhost",
        "redis://localhost:port",
        "redis://localhost:0",
        "redis://localhost:65536",
        "redis://localhost/first",
        "redis://localhost?db=first",
        "redis://localhost?decode_responses=yes",
        "redis://localhost?no_such_option=1",
        "rediss://localhost?ssl_cert_reqs=perhaps",
        "rediss://localhost?ssl_nonsense=1",
        "redis://user:hunter2/x@localhost",
        "redis://:12#hunter2@localhost",
        "redis://user:hunter2#@localhost:6379/0",
        "redis://:12?hunter2@localhost",
        "redis://localhost#hunter2",
        "redis://[hunter2",
        "unix://",
        "unix:///",
        "unix://relative/path",
    ],
)
def test_a_url_that_cannot_be_understood_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(RedisUrlError, match=r"cannot be understood: write redis://.* # as %23") as caught:
        RedisEndpoint(url, 1.0)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://", "localhost:6379"),
        ("redis://user:secret@example.org:7000/3", "example.org:7000"),
        ("rediss://example.org?ssl_cert_reqs=none", "example.org:6379"),
        ("redis://:12%233%40%2F%3F@example.org:7000/3", "example.org:7000"),
        ("unix:///run/redis.sock?db=2&password=secret", "/run/redis.sock"),
        ("unix://user:secret@/run/a%20redis.sock", "/run/a redis.sock"),
    ],
)
def test_the_address_is_for_people_and_has_no_password(url: str, address: str) -> None:
    assert RedisEndpoint(url, 1.0).address == address
