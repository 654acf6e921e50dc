"""Brokers that people have: how their clients subscribe and publish, one file a protocol."""
