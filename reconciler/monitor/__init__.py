"""What a run leaves to be watched: statistics before, after and now, and their comparison."""
