"""Search: the words of a call (`words`) and the look-up (`query`)."""
