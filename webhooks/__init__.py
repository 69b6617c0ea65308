"""webhooks lets ElevenLabs in: verify, keep, understand, hand over to calls."""
