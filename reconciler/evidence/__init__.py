"""A plan and what was measured of it: the input of the report and the runbook."""
