"""The REST API of calls, /api/."""
