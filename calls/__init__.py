"""calls knows what a call is: its state, its turns, its recording, and the verbs that change them."""
