"""Work on many targets: several at once, in batches, on other machines."""
