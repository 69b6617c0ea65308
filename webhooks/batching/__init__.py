"""Code that exists only for speed: it stores requests together that arrive at the same moment.

`turns.taken(body)` and `outcomes.take(body)` are the only ways in. Each gives an Reply, or None if nothing was done:
then the inbox takes the body alone.
"""
