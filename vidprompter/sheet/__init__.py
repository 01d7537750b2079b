"""The scene sheet: measured facts of a clip."""
