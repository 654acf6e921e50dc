"""What is published to servers that know nothing of matches: the frame that a stage sends, on one line.

So every server moves as many bytes, and the fans find the number of an event where they always do. One line, since
some protocols end a message with it, and EventSource puts `data: ` before each.
"""

from datetime import UTC, datetime

import msgspec

from common.domain.events import Detail, Event
from common.domain.posts import Post
from common.wire.frames import encode

MARK = b"\tcomment: #"
"""What stands before an event's number, in these lines as in the frames of the stages."""


def line_of(post: Post) -> bytes:
    """Return the frame of an event that was posted, as long as ever, with blanks where it has its line ends."""
    details: dict[str, Detail] = {
        field: value if isinstance(value, str | int) else " ".join(map(str, value))
        for field, value in sorted(msgspec.structs.asdict(post).items(), key=lambda item: item[0] == "comment")
        if value is not None
    }
    frame = encode(Event(seq=1, at=datetime.now(UTC), kind=post.kind, details=details))
    return frame.translate(_ONE_LINE)


_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


def number_of(post: Post) -> int:
    """Return the number of an event, with which the comment of every post begins (see `load.match.numbered`)."""
    return int((post.comment or "").partition(" ")[0].removeprefix("#"))
