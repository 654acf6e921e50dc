"""What fans hear, read by its protocol: one file a protocol, one interface (`reader`), and `catalogue` chooses.

All of it is Sans-I/O: bytes in, numbers of events out.
"""
