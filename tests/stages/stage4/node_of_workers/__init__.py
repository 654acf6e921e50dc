"""Workers that share the ports of their node, as a program."""
