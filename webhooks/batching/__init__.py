"""What exists only for speed: requests that come at the same moment are stored together.

Each module has one way in, `async take(body) -> Answer | None`. None means that nothing was done: the inbox takes the
body alone.
"""
