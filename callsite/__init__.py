"""The project package of callsite: settings, routes, and the doors of the server. Rooms: calls, webhooks, realtime."""

# The version stands here; docs/releasing.md lists the files that repeat it.
__version__ = "0.1.0"
