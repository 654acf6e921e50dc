"""Text of others on a terminal. What a server, a peer or a file says is shown, and never carried out.

A terminal takes control characters as commands (ECMA-48): a text may clear the screen, write over what was said, name
the window, or on some terminals type for the user. Direction marks (Unicode Standard Annex 9) make a line read as
another one than it is, and characters without a picture hide in it.
"""

import re
from typing import Final

_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL and C1
    "\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # unseen, or of direction
    "\ud800-\udfff\U000e0000-\U000e007f]"  # halves of characters, which cannot be printed; tags
)
"""Not the joiners U+200C and U+200D: words of several languages, and many an emoji, are made with them."""


def harmless(text: str) -> str:
    r"""Return `text` on one line, with escapes such as `\x1b` or `\u202e` for what a terminal would not just show."""
    return _escaped(text)


def harmless_lines(text: str) -> str:
    """Return `text` as `harmless` does, line by line: line feeds stay."""
    return "\n".join(map(_escaped, text.split("\n")))


def _escaped(text: str) -> str:
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
