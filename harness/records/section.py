"""What the parts of every record are made of."""

from typing import Annotated

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0, description="1.0 is one core, busy all the time.")]
Seconds = Annotated[float, msgspec.Meta(description="Seconds; a moment is counted from the first intended start.")]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a result: immutable, and strict when it is read."""
