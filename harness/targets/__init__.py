"""Whom a trial measures: a stage that is started for it, or a server that runs already."""
