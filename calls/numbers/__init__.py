"""The page of numbers about calls, per agent and per day. Each number links to the calls that it counts."""
