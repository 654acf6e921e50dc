"""All tests. Hypothesis runs the same examples everywhere, and never fails because a machine is slow.

With pytest's option `--hypothesis-profile=random` it runs others each time, and prints how to repeat what fails.
"""

from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True, database=None, max_examples=60)
settings.register_profile("random", settings.get_profile("steady"), derandomize=False, print_blob=True)
settings.load_profile("steady")  # the option is read after this
