"""What a test needs that a bare machine, or an ordinary user, has not.

Every skip says so in one form, `needs WHAT: how to get it`: `.ci/run` refuses all others, and those that it could mend.
"""

import shutil

import pytest


def needs(program: str, package: str) -> pytest.MarkDecorator:
    """Skip a test where a program is not on the PATH."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}: apt-get install {package}")
