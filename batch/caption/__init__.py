"""`vidprompter caption`: many clips in, one row each out."""
