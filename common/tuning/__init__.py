"""What a server asks of its operating system: open files, kernel settings, children that end with it."""
