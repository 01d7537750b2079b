"""CLIP, Long-CLIP and VideoCLIP-XL: one network for the three, read from their published checkpoints."""
