"""Charts of results, as PNG files."""
