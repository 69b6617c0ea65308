"""Tests of the promises in docs/reliability.md, on real servers that are broken on purpose.

`python -m lab.faults --help` lists the options.

Senders and subscribers write down what they did and got (`senders`, `subscribers`); afterwards `history` compares these
records with the database. `control` is plain Channels under the same faults. Nothing here is deployed.
"""
