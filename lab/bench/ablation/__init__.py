"""Measures what each piece that exists for speed buys: callsite beside itself without that piece, in CPU per unit."""
