"""What happens now: the actors of a server that runs and a trial in a terminal, and a server's loop lag beside one."""
