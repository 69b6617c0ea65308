"""Finding a call by what it says: its words, and the look-up."""
