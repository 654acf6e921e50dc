"""From what was seen to the figures of a trial: pure."""
