"""A tour through the stages in the terminal: see what breaks, name the cause, read what mends it, foretell, and see.

The course (`course.toml`) is data: a step a stage. `course` reads it, `excerpt` finds the lines of code that a step
shows, `trial` has the harness measure, `guide` goes through it with somebody, and `bookmark` keeps how far they are.

Server and harness do not know each other, so a trial is a command of the harness, which is shown before it is run: all
that the tour does can be typed.
"""
