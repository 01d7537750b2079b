"""Scoring from the command line: one clip with captions, files of captions, rankings, and comparisons of models."""
