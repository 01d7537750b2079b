"""Features of clips and texts: decoding for them, and keeping them."""
