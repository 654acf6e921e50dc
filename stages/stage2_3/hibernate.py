"""Lesson `hibernate`: the processes that there are many of give up task, stack and mailbox while they wait.

There are a client and a user for each fan, and they do nothing for minutes. (`common.otp.process` has what it costs and
brings.)
"""

from __future__ import annotations

from stages.stage0.client import Client
from stages.stage0.user import User


class HibernatingClient(Client):
    """Wakes for each message."""

    hibernates = True


class HibernatingUser(User):
    """Wakes for each message."""

    hibernates = True
