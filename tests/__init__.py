"""All tests. Hypothesis runs the same examples everywhere, and never fails because a machine is slow."""

from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("steady")
