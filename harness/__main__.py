"""`python -m harness`: the command `harness`."""

import sys

from harness.cli import main

sys.exit(main())
