"""Other implementations of the same work, each as its own documentation suggests, with requirements-bench.txt."""
