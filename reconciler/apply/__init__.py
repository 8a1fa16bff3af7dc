"""Apply plans: checks before the first step, retries, timeouts, progress, the journal entry."""
