"""`python -m stages`: the command `matchstream`."""

import sys

from stages.cli import main

sys.exit(main())
