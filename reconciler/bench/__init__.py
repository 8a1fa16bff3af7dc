"""Measure the queries of a workload in databases that differ in their structure only."""
