"""Files of pages at the API: what is sent, where, and under which policy."""

from pathlib import Path

import aiohttp
import pytest

from common.http import site
from common.http.page_files import POLICY, read_files
from common.http.site import PAGES

BESIDE = Path(site.__file__).parent
FILES = sorted(path.name for path in BESIDE.iterdir() if path.suffix in {".html", ".css", ".js"})
AT = {path.replace("{id}", "any%20id"): name for path, name in PAGES.items()} | {
    f"/site/{name}": name for name in FILES if not name.endswith(".html")
}
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


@pytest.mark.parametrize(("path", "name"), AT.items())
async def test_a_file_is_sent_as_it_is_under_the_policy(reader: aiohttp.ClientSession, path: str, name: str) -> None:
    async with reader.get(path) as answer:
        assert (answer.status, await answer.read()) == (200, (BESIDE / name).read_bytes())
    assert answer.headers["Content-Type"] == f"{TYPES[Path(name).suffix]}; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-cache"


async def test_of_a_file_there_is_a_head_alone_and_nothing_is_written_to_it(reader: aiohttp.ClientSession) -> None:
    async with reader.head("/report") as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    assert int(answer.headers["Content-Length"]) == (BESIDE / "report.html").stat().st_size
    async with reader.post("/report") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path", ["/site/", "/site/__init__.py", "/site/report.html", "/site/..%2fapi.py", "/report/a/b"]
)
async def test_what_is_no_file_of_a_page_is_not_sent(reader: aiohttp.ClientSession, path: str) -> None:
    async with reader.get(path) as answer:
        assert answer.status == 404
        assert "nothing is at this path" in (await answer.json())["error"]


def test_the_policy_lets_a_page_ask_for_nothing_from_elsewhere() -> None:
    allowed = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    assert allowed.pop("img-src") == "data:"
    assert set(allowed.values()) == {"'none'", "'self'"}
    assert allowed["default-src"] == "'none'"


def test_only_what_belongs_to_a_page_is_read() -> None:
    assert sorted(read_files(site.__name__)) == FILES
