"""The load generator: sends signed webhooks, receives the sockets' frames, and times both in one process.

It is a program of its own (`python -m lab.bench.load --help`), so that nothing else runs in its event loop. It knows a
server only by its URLs; several URLs, comma separated, are used in turn, as behind a proxy.
"""
