"""Outputs of a run besides JSON lines: Parquet, WebDataset and sidecar texts, each a view of the ledger."""
