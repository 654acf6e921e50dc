"""The text protocol, without sockets (Sans-I/O): bytes in, greetings out; events in, frames out.

`greeting` reads what a fan says and `frames` writes what a fan hears, both for servers; `reader` reads it back, for
`matchstream watch` and for tests.
"""
