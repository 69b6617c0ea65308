"""A stand-in for ElevenLabs' API: a real HTTP server that places pretended calls and can misbehave."""
