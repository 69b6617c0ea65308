"""The REST API of calls under /api/."""
