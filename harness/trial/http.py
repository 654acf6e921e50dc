"""A load of HTTP requests from beginning to end: a server found or started, a match to post to, the result."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from common.http.token import TokenError, client_token
from harness.load.http import HttpPlan, HttpSamples, load_http
from harness.load.match import synthetic_match
from harness.records.asked import AskedTarget
from harness.records.http import HttpResult
from harness.records.machine import describe_machine
from harness.targets.api_publisher import ApiPublisher
from harness.targets.stage import StageTarget
from harness.targets.target import TargetError, parse_http_url
from harness.targets.tls import TRUST_BY_OPTION, reach_url
from harness.targets.variant import Variant
from harness.trial.figures.http import HttpHead, asked_http, http_result
from harness.trial.plan import trial_id


@dataclass(frozen=True, slots=True)
class Api:
    """A server to load: how its result names it, its URL without a slash at the end, and the token to post there.

    `trust` says whom to believe there if the URL is an https:// one.
    """

    target: AskedTarget
    url: str
    token: str | None
    trust: ssl.SSLContext | None = None


@contextmanager
def stage_api(variant: Variant) -> Iterator[Api]:
    """Have the stage run inside, and give its API. Raise TargetError if it does not start."""
    server = StageTarget(variant)
    server.start()
    try:
        api = server.publisher
        assert api is not None  # noqa: S101 -- every stage has one
        target = AskedTarget(
            name=server.name,
            stage=variant.stage,
            fans=(),
            http=api.url,
            with_lessons=variant.with_lessons,
            without_lessons=variant.without_lessons,
            nodes=variant.nodes,
            topology=variant.topology,
            workers=variant.workers,
        )
        yield Api(target, api.url, api.token)
    finally:
        server.stop()


def running_api(url: str, trust: ssl.SSLContext, *, posts: bool) -> Api:
    """Return the API at `url`.

    Raise TargetError if that is no URL, nobody is there, or not whom `trust` believes, or nothing may be posted there.
    """
    parsed = parse_http_url(url, "an API")
    if parsed.parts.path.strip("/") or parsed.parts.query:
        raise TargetError(f"{url!r}: give what comes behind the port as --path")
    reach_url(url, parsed, trust, TRUST_BY_OPTION)
    token = None
    if posts:
        try:
            token = client_token(os.environ, parsed.host, parsed.port)
        except TokenError as error:
            raise TargetError(str(error)) from error
    return Api(AskedTarget(name=url, stage=None, fans=(), http=url), url.rstrip("/"), token, trust)


def get_path(api: Api, path: str, load: HttpPlan) -> HttpResult:
    """GET a path of the API as `load` says, whose `url` is not looked at, and return what was seen."""
    return _run(api, path, replace(load, url=api.url + path, trust=api.trust))


def post_events(api: Api, load: HttpPlan) -> HttpResult:
    """Post as many events as `load` has requests to a match that is there for them alone, and return what was seen.

    Raise AnnounceError if the server has no room for a match.
    """
    match = synthetic_match(trial_id(), load.requests, rate_per_s=1.0)
    path = f"/1/match/{match.match.id}/events"
    bodies = tuple(msgspec.json.encode(planned.post) for planned in match.posts[:-1])  # all but the stop
    with ApiPublisher(api.url, api.token or "", trust=api.trust).announced(match):
        plan = replace(load, url=api.url + path, token=api.token, bodies=bodies, trust=api.trust)
        return _run(api, path, plan)


def _run(api: Api, path: str, plan: HttpPlan) -> HttpResult:
    samples = HttpSamples.of(plan)
    started_at, interrupted = datetime.now(UTC), False
    try:
        load_http(plan, samples)
    except KeyboardInterrupt:
        interrupted = True
    head = HttpHead(started_at, asked_http(api.target, path, plan), describe_machine(), interrupted)
    return http_result(head, samples)
