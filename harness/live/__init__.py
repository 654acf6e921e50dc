"""What happens now, in a terminal: the actors of a server that runs, and a trial while it is made."""
