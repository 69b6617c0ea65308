"""realtime pushes committed turns and completions to browsers: each subscribed socket gets each once, in order."""
