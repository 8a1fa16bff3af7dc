"""Work on many targets: in parallel, in batches, on other machines."""
