"""VILA-1.5 checkpoints (`Efficient-Large-Model/Llama-3-VILA1.5-8B` and its like) without remote code.

A published folder holds a SigLIP vision tower, a downsampling projector and a Llama; `load.load_vila` puts them
together from transformers' own classes. Format and numbers: NVlabs/VILA, branch vila1.5 and main of 2024; nothing
is copied from there.

What was run: random checkpoints of a few kilobytes in exactly the published layout, loaded, compared with a
computation by hand, cached, batched, sampled and beam-searched. What was not: the real weights of 8B or 3B, which
could not be reached where this was written. The layout is taken from the code that writes it and from a copy of
the 3B's config.json. AWQ, S2 and 40B variants, and NVILA, are refused by name.
"""
