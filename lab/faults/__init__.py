"""The promises of docs/reliability.md, tried on real servers that are broken on purpose. `python -m lab.faults --help`.

Senders and subscribers write down what they did and got (`senders`, `subscribers`); afterwards `history` compares that
with the database. `control` is plain Channels under the same faults. Nothing here is part of what is deployed.
"""
