"""The room that lets ElevenLabs in: it verifies webhooks, keeps them, parses them and hands them over to calls."""
