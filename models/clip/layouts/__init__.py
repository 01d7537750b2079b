"""Under which names and in which forms the published checkpoints store the tensors of one network."""
