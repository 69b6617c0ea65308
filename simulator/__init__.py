"""Simulated calls: they send callsite the webhooks that ElevenLabs would send; for `simulate_call` and `demo`.

The server imports nothing of this package, which is a client: it speaks HTTP and WebSocket like any other client.
"""
