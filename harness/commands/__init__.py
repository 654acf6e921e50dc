"""The commands of `harness`, one a module: what it asks of the user, and nothing that another program might want."""
