"""The load generator: signed webhooks in, frames of sockets out, timed in one process.

A program of its own (`python -m lab.bench.load --help`), so that nothing else runs in its event loop. It knows a server
by its URLs alone; several, comma separated, are used in turn, as a proxy in front would.
"""
