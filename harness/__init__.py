"""Measures a server of long-lived connections: N held, C started at once, ART, and what each was worth."""
