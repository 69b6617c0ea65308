"""The real servers that tests, `make faults` and `make bench` run on: PostgreSQL, Redis and callsite itself.

Each server gets a free port that it keeps over restarts, and a temporary folder that `close()` removes.
Nothing here is deployed.
"""
