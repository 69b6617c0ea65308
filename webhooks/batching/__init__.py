"""Code that exists only for speed: it stores requests that come at the same moment together.

`turns` and `outcomes` have one way in each, `async take(body) -> Answer | None`. None means that nothing was done: the
inbox takes the body alone.
"""
