"""Repeat the result of a command where nothing has changed since it was made.

Of `plan` and `drift` only the result "no difference" is kept: no other follows from the catalogs
and the files alone. What `lint` finds by statistics is looked at each time.
"""

COMMANDS = ("drift", "lint", "plan")
