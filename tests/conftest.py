"""For all tests: Ctrl-C reaches the programs that they start.

A shell starts what runs in the background with SIGINT ignored, and so does nohup; programs inherit that, and would wait
for ever in a test that interrupts them.
"""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
