"""upstream asks ElevenLabs: it places calls, fetches conversations, repairs what webhooks missed, checks the set-up."""
