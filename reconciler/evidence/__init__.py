"""Collect a plan and measurements: the input of the report and the runbook."""
