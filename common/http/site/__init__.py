"""The pages at the port of the API, which they ask for what they show: what stands beside this file, as it is sent.

    GET /report             a reporter signs in, and chooses a match or announces one
    GET /report/<id>        reports it
    GET /lab                how the server does, live, and the lessons that it has
    GET /site/<file>        what belongs to the pages

They are no part of version 1 of the API, nor of its description: what they answer is no JSON.
"""

from types import MappingProxyType
from typing import Final

from aiohttp import web

from common.http.errors import HttpHandler
from common.http.page_files import File, read_files

PAGES: Final = MappingProxyType({"/report": "report.html", "/report/{id}": "report.html", "/lab": "lab.html"})
"""By the path that it is at, the file of each page. What an id is, only the page's script looks at."""


def add_site(app: web.Application) -> None:
    """Have `app` answer with the pages, and with what belongs to them."""
    files = read_files(__package__)
    for path, name in PAGES.items():
        app.router.add_get(path, _sends(files[name]))
    for name in files.keys() - PAGES.values():
        app.router.add_get(path_of(name), _sends(files[name]))


def path_of(name: str) -> str:
    """Return the path of a file that belongs to a page."""
    return f"/site/{name}"


def _sends(file: File) -> HttpHandler:
    async def send(_request: web.Request) -> web.Response:
        return web.Response(body=file.body, headers=file.headers)

    return send
