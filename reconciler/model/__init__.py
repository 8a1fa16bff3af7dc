"""Define the contract of a kind, and the values passed between stages."""
