"""A call's page in the admin: how the call ended, its conversation as one record, and its details."""
