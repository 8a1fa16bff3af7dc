"""Compare the live state with the desired state."""
