"""Runs: the ledger and the outputs it vouches for."""
