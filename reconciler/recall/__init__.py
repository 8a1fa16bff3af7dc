"""Repeat the result of `plan` or `drift` where nothing has changed since it was made.

Only the result "no difference" is kept: no other follows from the catalogs and the files alone.
"""

COMMANDS = ("drift", "plan")
