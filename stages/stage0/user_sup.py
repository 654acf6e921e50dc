"""The talk's `user_sup`: a `simple_one_for_one` supervisor of users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.otp import AlreadyStartedError, CallError, NoProcessError, SimpleOneForOne, StartChild
from common.store.errors import StoreUnavailableError

if TYPE_CHECKING:
    from common.otp import Node, Process
    from stages.stage import Parts


class UserSup(SimpleOneForOne):
    """Starts one user for each user id; one that ends is not started again, its fans connect anew."""

    NAME = "user_sup"

    def __init__(self, parts: Parts) -> None:
        super().__init__(lambda user_id: parts.user(parts, user_id))

    @classmethod
    async def start_user(cls, node: Node, user_id: str) -> Process:
        """Return the process of that user, a new one if there is none. Raise StoreUnavailableError."""
        try:
            user: Process = await cls.supervisor(node).call(StartChild((user_id,), cls.name_of(user_id)))
        except AlreadyStartedError as error:
            return error.process
        except (CallError, NoProcessError) as error:
            raise StoreUnavailableError("the users are being restarted; try again") from error
        return user

    @classmethod
    def supervisor(cls, node: Node) -> Process:
        """Return the process that starts users. Raise NoProcessError while it is being restarted."""
        return node[cls.NAME]

    @staticmethod
    def name_of(user_id: str) -> str:
        """Return the name under which a user is registered."""
        return f"user-{user_id}"
