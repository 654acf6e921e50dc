"""The rules of a match: pure, no I/O. A match and a posted event in; a match and an event out, or a named error."""
