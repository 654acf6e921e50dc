"""Redis: keys and codecs, one atomic write for a match and its event, and the embedded server."""
