"""Generate schemas of any size, and measure how long reconcile and its peers take on them."""
