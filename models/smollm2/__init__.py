"""SmolLM2-135M-Instruct: from the fetched GGUF file to the files that transformers loads in a second."""
