"""The options of a command for several targets, and the targets that they name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import click

from reconciler.cli.options import collected
from reconciler.environment import environment_value
from reconciler.errors import SettingsError
from reconciler.fleet.shard import OPTION as SHARD
from reconciler.fleet.shard import parse_shard
from reconciler.inventory.limit import OPTION, limited
from reconciler.server.redaction import redacted
from reconciler.settings import DATABASE_VARIABLE, FILE, Settings

FORKS = 4
HOW_SEVERAL = "--all, --limit, or --target more than once"


@dataclass(frozen=True)
class NamedTarget:
    """A target as --target names it, None for the default, and its name for people.

    `variables` is a digest of the target's variables, if workers of a cluster are to have the same.
    """

    flag: str | None
    name: str
    variables: str = ""


@dataclass(frozen=True)
class TargetsOptions:
    """The databases of a command, and how many are looked at at once."""

    targets: tuple[str, ...]
    every: bool
    limits: tuple[str, ...]
    forks: int
    shard: str | None = None

    @property
    def several(self) -> bool:
        """Whether the command is about several targets, be it by a list of one."""
        return self.every or bool(self.limits) or len(self.targets) > 1

    @property
    def chosen(self) -> bool:
        """Whether the command line names targets."""
        return self.several or bool(self.targets)

    @property
    def alone(self) -> str | None:
        """The target of a command about one target, as --target names it; None for the default."""
        return self.targets[0] if self.targets else None

    def named(self, settings: Settings) -> Sequence[NamedTarget]:
        """Return the targets, each once; raises SettingsError if there is none."""
        if self.every and self.targets:
            raise SettingsError("--all and --target contradict each other")
        if self.limits and self.targets:
            raise SettingsError(f"{OPTION} and --target contradict each other")
        if self.every or self.limits:
            return self._of_shard([NamedTarget(name, name) for name in self._of_file(settings)])
        if not self.targets:
            return self._of_shard([NamedTarget(None, _default_name(settings))])
        return self._of_shard([NamedTarget(f, _name(f)) for f in dict.fromkeys(self.targets)])

    def _of_shard(self, named: Sequence[NamedTarget]) -> Sequence[NamedTarget]:
        """Return the targets of the shard; raises SettingsError for a shard of one target."""
        if not self.shard:
            return named
        if not self.several:
            raise SettingsError(f"{SHARD} goes with several targets: {HOW_SEVERAL}")
        shard = parse_shard(self.shard)
        return [target for target in named if shard.has(target.name)]

    def _of_file(self, settings: Settings) -> Sequence[str]:
        inventory = settings.all_targets()
        if not inventory.entries:
            raise SettingsError(f"{OPTION if self.limits else '--all'}: {FILE} names no targets")
        if self.limits:
            return limited(self.limits, inventory.entries, inventory.groups)
        return [*inventory.entries]


def with_variables(named: Sequence[NamedTarget], file: Settings) -> Sequence[NamedTarget]:
    """Return the targets with digests of the variables."""
    return [replace(t, variables=digest_of_variables(file, t.name)) for t in named]


def digest_of_variables(file: Settings, name: str) -> str:
    """Digest the variables of a target; "" where groups disagree, which the work will tell."""
    try:
        values = file.variables_of(name)
    except SettingsError:
        return ""
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _default_name(settings: Settings) -> str:
    return _name(environment_value(DATABASE_VARIABLE) or settings.target or "")


def _name(flag: str) -> str:
    """Return a name of reconcile.yml, or a URL without its password."""
    return redacted(flag) if "=" in flag or "://" in flag or not flag else flag


targets_options = collected(
    "targets",
    TargetsOptions,
    click.option(
        "--target",
        "-t",
        "targets",
        metavar="NAME|URL",
        multiple=True,
        help="The database: a name from reconcile.yml, a URL, or `embedded` for a server that"
        " reconcile starts; can be repeated. Default: DATABASE_URL, else `target` of"
        " reconcile.yml, else PGHOST etc.",
    ),
    click.option("--all", "every", is_flag=True, help="All `targets` of reconcile.yml."),
    click.option(
        OPTION,
        "limits",
        metavar="PATTERN",
        multiple=True,
        help="The targets of reconcile.yml with these names, or in groups with these names:"
        " `europe,canary`, `shop_*`, `all,!canary` (without), `europe,&big` (in both); can be"
        " repeated.",
    ),
    click.option(
        "--forks",
        metavar="NUMBER",
        type=click.IntRange(min=1, max=64),
        default=FORKS,
        show_default=True,
        help="How many targets are worked on at once.",
    ),
    click.option(
        SHARD,
        metavar="I/N",
        help="Only the targets of one of N shards, chosen by a hash of the name; I counts from 0.",
    ),
)
