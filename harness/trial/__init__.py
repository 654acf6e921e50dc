"""One measured run, from its plan to its record."""
