"""The text protocol, without sockets (Sans-I/O): bytes in, greetings out; events in, frames out."""
