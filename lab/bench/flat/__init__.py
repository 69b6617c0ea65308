"""`python -m lab.bench flat`: the same operations on a small, a larger and a large database, side by side.

No operation of callsite may take more than twice as long with a million calls as with a thousand.
"""
