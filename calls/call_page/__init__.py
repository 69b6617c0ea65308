"""A call's page in the admin: how it ended, the conversation as one record, and what belongs to it."""
