"""Reading video: one decode, several samplings, typed errors."""
