"""The servers that a user would choose instead, each started by the harness with a sane configuration."""
