"""The contract of a kind, and the values that stages exchange."""
