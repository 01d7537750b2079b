"""What the user points at, as a list of clips and ideas."""
