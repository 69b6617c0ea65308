"""`python -m lab.bench flat`: the same operations on a small, a larger and a large database, side by side.

Nothing that callsite does may take more than twice as long with a million calls as with a thousand.
"""
