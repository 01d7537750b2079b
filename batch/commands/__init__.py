"""One file per command group of `vidprompter`."""
