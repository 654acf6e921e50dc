"""The server, one package a stage, in the order in which the talk tunes it."""
