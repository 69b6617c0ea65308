"""callsite: the walls and the wiring. Rooms: calls, webhooks, realtime."""

# The one place of the version; docs/releasing.md says what repeats it.
__version__ = "0.1.0"
