"""`make bench`: callsite beside other ways to do its work, and beside the limits, on one machine in one run.

`load` makes the traffic, `rivals` and `limits` hold what callsite is compared with, each file of `figures` measures one
thing, `report` says what came out, `flat` looks at what a growing database does. docs/performance/ has the results.
"""
