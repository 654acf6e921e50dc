"""The harness's named refusals. Each message is one line that tells the user what to do."""


class HarnessError(Exception):
    """Base of all: what was asked cannot be done. A command prints the message and exits with status 2."""
