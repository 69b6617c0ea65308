"""Other ways to do the same work, each as its own documentation suggests. requirements-bench.txt is theirs alone."""
