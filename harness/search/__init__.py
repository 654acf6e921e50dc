"""Capacity search: the largest N, C or rate of events at which a target still meets its SLO."""
