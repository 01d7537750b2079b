"""Network architectures, the registry of checkpoints, weight fetching and loading."""
