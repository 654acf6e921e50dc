"""Notebooks that read stored results: executed, and put into one HTML page."""
