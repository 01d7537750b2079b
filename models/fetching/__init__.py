"""Getting weights onto this machine, and finding them there."""
