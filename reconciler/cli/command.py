"""A command whose options and arguments are never empty text.

`--limit "$LIMIT"` with an empty variable must not do what holds without the option. An environment
variable that stands for an option is another matter: pipelines set it from a secret, which is
empty where there is none, and then the option is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click


class Command(click.Command):
    """A command that refuses empty text on the command line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line; raises UsageError for empty text."""
        if not ctx.resilient_parsing:
            given, _, _ = self.make_parser(ctx).parse_args(args=[*args])
            self._assert_not_empty(given)
        return super().parse_args(ctx, args)

    def _assert_not_empty(self, given: Mapping[str, Any]) -> None:
        for parameter in self.params:
            value = given.get(parameter.name or "")
            texts: list[object] = [*value] if isinstance(value, list | tuple) else [value]
            if any(isinstance(text, str) and not text.strip() for text in texts):
                is_option = isinstance(parameter, click.Option)
                name = max(parameter.opts, key=len) if is_option else parameter.human_readable_name
                raise click.UsageError(f"{name} is empty: leave it out, or give a value")
