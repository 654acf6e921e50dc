import re

import pytest

from common.domain.posts import Post, Shot, Start, Stop
from common.domain.script import SAMPLE, load_script
from harness.load.match import numbered
from harness.targets.payload import MARK, line_of, number_of

POSTS = [step.post for step in load_script(SAMPLE).steps] + [
    Shot(team="elp"),
    Stop(),
    Start(home_players=(1, 2), visit_players=(3,), comment="a remark #7"),
]


@pytest.mark.parametrize("post", POSTS, ids=lambda post: post.kind)
def test_an_event_is_one_line_with_its_number_at_the_end(post: Post) -> None:
    line = line_of(numbered(post, 12))
    assert not re.search(rb"[\r\n]", line)
    assert re.match(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: %b: \t" % post.kind.encode(), line)
    assert re.findall(re.escape(MARK) + rb"([0-9]+)[^0-9]", line) == [b"12"]
    assert number_of(numbered(post, 12)) == 12


def test_it_is_as_long_as_the_frame_of_a_stage() -> None:
    frame = b"2011-09-10 18:05:00: shot:\n\tteam: elp\n\tcomment: #3\n\r\n"
    assert len(line_of(Shot(team="elp", comment="#3"))) == len(frame)
