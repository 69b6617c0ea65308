"""Numbers about calls, per agent and day, each with the way to the calls that it counts."""
