"""The named refusals of the domain. Each message tells a reporter what to do; `field` names the offending field."""


class DomainError(Exception):
    """Base of all refusals; nothing has changed when one is raised."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class BadJsonError(DomainError):
    """The input is not JSON at all, so no field can be named."""


class InvalidError(DomainError):
    """The input cannot be read as what it should be (wrong type, missing or unknown field)."""


class UnknownMatchError(DomainError):
    """No match has that id."""


class UnknownTeamError(DomainError):
    """No team of that name is known, or it does not play this match."""


class UnknownPlayerError(DomainError):
    """The number is not in the squad."""


class NotOnFieldError(DomainError):
    """The player is not on the field."""


class AlreadyOnFieldError(DomainError):
    """The player is on the field already."""


class MayNotReturnError(DomainError):
    """The player left the field, sent off or substituted, and may not come in again."""


class WrongPeriodError(DomainError):
    """The event is impossible in the period the match is in."""


class MatchExistsError(DomainError):
    """A match with that id is there already."""


class KeyReusedError(DomainError):
    """Something else was asked for under this key before."""


class OutdatedError(DomainError):
    """The match is not at the version that was expected."""


class AskerGoneError(DomainError):
    """Whoever asked for this does not wait for the answer any more, and will take it for not done."""
