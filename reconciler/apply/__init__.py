"""Run a plan on a target: checks before the first step, retries, timeouts, progress, the record of the run."""
