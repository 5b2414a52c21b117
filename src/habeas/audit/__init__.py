"""The append-only log of everything that was done, and what outsiders need to check that it was not rewritten."""
