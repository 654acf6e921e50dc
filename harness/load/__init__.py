"""The load generator: processes full of clients that are plain sockets in an epoll loop, started on a schedule.

From the outside in: `controller` has `fork_server` start the processes, and collects; `worker` is one of them and turns
its loop, `fans` is the state machine of its connections, `connecting` makes them and `protocols` read what they hear;
`messages` and `counters` are how controller and worker talk; `clock` says when something arrived. `bare_server` is what
the generator measures itself against, `waves.c` (with `c_generator`) another one to hold it against.
"""
