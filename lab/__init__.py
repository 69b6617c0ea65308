"""The workshop, apart from the product's rooms: servers for tests (`stack`), promises under `faults`, the `bench`."""
