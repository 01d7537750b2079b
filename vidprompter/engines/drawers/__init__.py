"""The ways to draw text from the built-in language model; `choose` takes the fastest for the machine."""
