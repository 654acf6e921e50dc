"""Where the server and the generator of a trial run: which network, with which kernel settings, on which CPUs."""
