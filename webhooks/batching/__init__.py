"""Code that exists only for speed: it stores requests that come at the same moment together.

`turns` and `outcomes` have one way in each, `taken(body)` and `take(body)`, which gives an Answer or None. None means
that nothing was done: the inbox takes the body alone.
"""
