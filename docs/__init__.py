"""The documentation site: pages that are written, and what makes the others from the code when the site is built."""
