"""All stages by name, in the talk's order."""

from stages import stage0
from stages.stage import Stage

STAGES: dict[str, Stage] = {stage.name: stage for stage in (stage0.STAGE,)}


class UnknownStageError(Exception):
    """There is no stage of that name; the message lists those there are."""


def find_stage(name: str) -> Stage:
    """Return the stage of that name. Raise UnknownStageError."""
    try:
        return STAGES[name]
    except KeyError:
        raise UnknownStageError(f"there is no stage {name!r}; there is: {', '.join(STAGES)}") from None
