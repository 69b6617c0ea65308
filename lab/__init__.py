"""The workshop, apart from the product: real servers for tests (`stack`), tests under faults (`faults`), `bench`."""
