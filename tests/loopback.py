"""An address of this machine at which nothing but the tests of this process listens."""

import os
from ipaddress import IPv4Address
from typing import Final

OWN_ADDRESS: Final = str(IPv4Address("127.64.0.0") + os.getpid())
"""For tests that need the very port that was free a moment ago, or the one beside it.

At 127.0.0.1 the tests and servers of another worker could have taken it; but all of 127.0.0.0/8 is this machine (RFC
1122, 3.2.1.3), and a process id has at most 22 bits (proc(5), pid_max). Clients that the kernel chooses a port for do
not come in between either: they call from 127.0.0.1.
"""
