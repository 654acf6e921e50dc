"""Lesson `hibernate`: the processes that there are many of give up task, stack and mailbox while they wait.

There are a client and a user for each fan, and they do nothing for minutes; a dispatcher does nothing between events,
a match and its supervisor between two questions, a supervisor of users between two waves.
What is left of them is their state, and a message that needs no waiting is handled without a task
(`common.otp.hibernation`). Nor is a task needed to start: a supervisor of clients goes on to the next at once, where it
waited for a turn of the loop or two for each, and a crowd in its accept queue with it.
"""

from __future__ import annotations

from stages.stage0.client import Client
from stages.stage0.client_sup import ClientSup
from stages.stage0.dispatcher import Dispatcher
from stages.stage0.live_match import LiveMatch
from stages.stage0.match_sup import MatchSup
from stages.stage0.user import User
from stages.stage0.user_sup import UserSup


class HibernatingDispatcher(Dispatcher):
    """Wakes for each event and each call."""

    hibernates = True


class HibernatingMatch(LiveMatch):
    """Wakes for each event and each question."""

    hibernates = True


class HibernatingMatchSup(MatchSup):
    """Wakes for each start and each end."""

    hibernates = True


class HibernatingUserSup(UserSup):
    """Wakes for each start and each end."""

    hibernates = True


class HibernatingClientSup(ClientSup):
    """Wakes for each start and each end."""

    hibernates = True


class HibernatingClient(Client):
    """Wakes for each message."""

    hibernates = True


class HibernatingUser(User):
    """Wakes for each message."""

    hibernates = True
