"""What people run: the `vidprompter` command and the batch engine."""
