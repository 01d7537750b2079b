"""Facts in text: what a prompt states, the words for it, and whether a sheet agrees."""
