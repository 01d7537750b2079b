"""VILA-1.5 checkpoints (`Efficient-Large-Model/Llama-3-VILA1.5-8B` and its like) without remote code.

A published folder holds a SigLIP vision tower, a downsampling projector and a Llama; `load.load_vila` puts them
together from transformers' own classes. Format and numbers: NVlabs/VILA, branch vila1.5 and main of 2024; nothing
is copied from there.

What was run: tiny random checkpoints in the published layout, loaded, compared with a computation by hand, cached,
batched, decoded greedily and with beams, on a CPU. What was not: the real weights of the 8B or the 3B, which could
not be reached where this was written, any GPU, and the tokenizers of the real models. The layout is taken from the
code that writes it and from a published copy of the 3B's config.json. S2, NVILA and the 40B are refused with the
config's key that tells them; AWQ since its weights are no plain safetensors.
"""
