"""realtime tells the browsers: what was committed reaches every socket that listens, in order, once."""
