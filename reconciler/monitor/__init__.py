"""Watch a run: read statistics before, after and now, and compare them."""
