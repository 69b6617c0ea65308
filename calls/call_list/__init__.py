"""The list of calls in the admin: its filters, its columns, the words that a search found, and the work queues."""
