"""What is stored of a measurement, and the machine it was made on: types that are the format of the files.

A trial is what was `asked`, what the fans have `seen`, what was in `usage` meanwhile, and what follows: `trial`. Other
kinds of record are `http`, `search` and `campaign`; `kinds` reads any of them. `files` writes and reads one file each,
`directory` a line each.
"""
