"""Asks ElevenLabs: places calls, fetches conversations, repairs what webhooks missed, and checks the set-up."""
