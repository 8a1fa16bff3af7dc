"""The command `bench`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from reconciler import settings
from reconciler.bench.measure import Limits
from reconciler.benchmark import BEFORE, Comparison, compare
from reconciler.cli.group import DIFFERENT, DONE, main
from reconciler.cli.numbers import Number
from reconciler.cli.options import (
    collected,
    files_root_option,
    start_option,
    state_option,
    target_option,
)
from reconciler.cli.output import print_line, watch_progress, write_file
from reconciler.cli.output_options import OutputOptions, output_options
from reconciler.declare.load import load
from reconciler.errors import SettingsError
from reconciler.model.state import Declaration
from reconciler.report.picture import assert_drawable, draw


@dataclass(frozen=True)
class BenchOptions:
    """The variants to compare, the limits of time, and the files of pictures."""

    scripts: Sequence[Path]
    scales: Sequence[float]
    variants: Sequence[str]
    baseline: str
    rounds: int
    seconds: float
    pictures: Sequence[Path]

    def comparison(self, declaration: Declaration, target: str) -> Comparison:
        """Return what to compare with the state before."""
        return Comparison(
            declaration,
            self.scripts,
            target,
            self.scales,
            dict(map(_variant, self.variants)),
            self.baseline,
            Limits(self.rounds, self.seconds),
        )


bench_options = collected(
    "options",
    BenchOptions,
    start_option(
        "The setting reconcile.scale tells it how many rows to make. Default: the structure of the"
        " target, with rows made from its statistics."
    ),
    click.option(
        "--scale",
        "scales",
        metavar="NUMBER",
        multiple=True,
        type=Number(min=0, min_open=True),
        default=(1.0,),
        help="A size of the data; can be repeated. Default: 1.",
    ),
    click.option(
        "--variant",
        "variants",
        metavar="NAME=STATE",
        multiple=True,
        help="A further state to measure: a name, and a folder or file of YAML, which is applied to"
        " the database before; can be repeated.",
    ),
    click.option(
        "--baseline",
        metavar="NAME",
        default=BEFORE,
        help="The variant to which the others are compared. Default: before.",
    ),
    click.option(
        "--rounds",
        metavar="NUMBER",
        type=click.IntRange(min=2),
        default=Limits().rounds,
        help=f"How often each query runs in each database. Default: {Limits().rounds}.",
    ),
    click.option(
        "--seconds",
        metavar="SECONDS",
        type=Number(min=0, min_open=True),
        default=Limits().seconds,
        help="How long one scale is measured; slow queries then run less often."
        f" Default: {Limits().seconds:g}.",
    ),
    click.option(
        "--picture",
        "pictures",
        metavar="FILE",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        help="Draw the figures into this .svg or .png file; can be repeated.",
    ),
)


@main.command()
@target_option
@state_option
@files_root_option
@bench_options
@output_options("benchmark")
def bench(
    target: str | None,
    state: Path | None,
    files_root: Path | None,
    options: BenchOptions,
    output: OutputOptions,
) -> int:
    """Measure the queries of the section `workload` before and after the plan.

    On an embedded server, the files of --start make a database; without them it gets the target's
    structure, and rows like those that the target's statistics describe. The declared state is
    applied to a copy of it, and each query of the workload runs in both in turn. Nothing is
    measured or changed on the target. Exit status: 0 if every promise of the workload is kept, 2 if
    not.
    """
    file = settings.read()
    resolved = None if options.scripts else settings.resolve_target(file, target)
    variables = resolved.variables if resolved else file.vars
    declaration = load(state or file.state_folder(), files_root=files_root, variables=variables)
    url = resolved.url if resolved else ""
    for picture in options.pictures:
        assert_drawable(picture)
    benchmark = compare(options.comparison(declaration, url), _tell, watch_progress)
    output.write("benchmark", benchmark)
    for picture in options.pictures:
        write_file(draw(benchmark, picture), picture, "--picture")
    return DIFFERENT if benchmark.broken else DONE


def _tell(line: str) -> None:
    print_line(line, stderr=True)


def _variant(option: str) -> tuple[str, Path]:
    name, equals, path = option.partition("=")
    if not (name and equals and path):
        raise SettingsError(f"--variant {option}: expected NAME=STATE")
    return name, Path(path)
