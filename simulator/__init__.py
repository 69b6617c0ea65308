"""Calls that never happened, told by the webhooks that ElevenLabs would send; for `simulate_call` and `demo`.

Nothing of the server imports this package: it is a client, and speaks HTTP and WebSocket like any other.
"""
