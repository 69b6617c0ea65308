"""callsite: the walls and the wiring. Rooms: calls, webhooks, realtime."""
