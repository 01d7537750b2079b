"""Large video models through transformers: frames and instruction in, prompt out."""
