"""YAML as a tree in which everything knows its place (`nodes`), and how such a tree becomes pydantic models (`models`).

What people wrote wrongly raises nothing here: it is added to the list of problems that the caller hands in.
"""
