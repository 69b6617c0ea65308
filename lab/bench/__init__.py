"""`make bench`: compares callsite with other implementations, and with the limits, on one machine in one run.

`load` makes the traffic, `rivals` and `limits` hold the servers to compare with, each file of `figures` measures one
figure, `report` writes the table, `flat` measures growing databases. docs/performance/ has the results.
"""
