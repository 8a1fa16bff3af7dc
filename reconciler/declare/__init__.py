"""Declared state in YAML: load files into a Declaration, export a State, print the JSON Schema.

Problems of the files are not raised but appended to a list that callers pass, so that `load`
reports all at once.
"""
