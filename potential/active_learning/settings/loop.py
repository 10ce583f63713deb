# SPDX-License-Identifier: BSD-3-Clause
"""loop.toml, checked in full before anything runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from potential.active_learning.selection import FRACTION
from potential.active_learning.settings.labels import LABELS, LabelSettings
from potential.active_learning.settings.samplers import MOST_STRUCTURES, SAMPLERS, SamplerSettings
from potential.schema import (
    Choice,
    File,
    Files,
    Integer,
    Kind,
    Kinds,
    Nested,
    Number,
    Place,
    Settings,
    read,
    setting,
)
from potential.schema.limits import MOST_NOISE, MOST_SEED
from potential.schema.settings import REQUIRED
from potential.settings.file import read_toml
from potential.uncertainty.of_structures import MEASURES

FULL, FACTOR = "full", "factor"
RANDOM = "random"
MOST_GENERATIONS = 10_000


@dataclass(frozen=True, kw_only=True)
class LoopTable(Settings):
    """[loop]: what is repeated, and when it stops."""

    source: ClassVar[str] = "loop settings"
    table: ClassVar[str] = "loop"

    fit: str = setting(
        REQUIRED,
        File(help="`fit.toml` of all fits; its `[data] train` has the labels to begin with"),
    )
    folder: str = setting("loop", File(help="where everything is kept"))
    model: str | None = setting(
        None, File(help="a model to begin with; none: a fit to `[data] train` alone")
    )
    test: tuple[str, ...] = setting(
        (), Files(help="labelled structures for errors; none: `[data] test` of the fit")
    )
    refit: str = setting(
        FULL,
        Choice(
            (FULL, FACTOR),
            help="`full`: every fit chooses its sparse points anew; `factor`: those of the first "
            "fit stay, and rows are made for new structures alone",
        ),
    )
    generations: int = setting(10, Integer(1, MOST_GENERATIONS, help="stop after so many"))
    labels: int | None = setting(
        None, Integer(1, MOST_STRUCTURES, help="new labels at most, in all generations together")
    )
    uncertainty: float | None = setting(
        None,
        Number(
            above=0,
            most=MOST_NOISE,
            help="stop when no structure that was sampled is more uncertain; units of the measure",
        ),
    )
    seed: int = setting(0, Integer(0, MOST_SEED, help="of all random choices"))


@dataclass(frozen=True, kw_only=True)
class SelectSettings(Settings):
    """[select]: what is labelled of what was sampled."""

    source: ClassVar[str] = "loop settings"
    table: ClassVar[str] = "select"

    n: int = setting(20, Integer(1, MOST_STRUCTURES, help="structures per generation, at most"))
    by: str | None = setting(
        None,
        Choice(
            (*MEASURES, RANDOM),
            help="the measure of uncertainty; none: what the model has, a committee first; "
            "`random` chooses at random, to compare with",
        ),
    )
    fraction: float = setting(
        FRACTION,
        Number(
            above=0,
            most=1,
            help="part of the sampled structures, the most uncertain, among which farthest points "
            "are chosen; at least twice `n`",
        ),
    )
    threshold: float | None = setting(
        None,
        Number(
            least=0,
            most=1e6,
            help="largest distance of near-duplicates; none: 10⁻⁴ of the median distance",
        ),
    )


@dataclass(frozen=True, kw_only=True)
class LimitSettings(Settings):
    """[limits]: what is no longer a structure to label."""

    source: ClassVar[str] = "loop settings"
    table: ClassVar[str] = "limits"

    distance: float = setting(
        0.5, Number(least=0, most=100, unit="Å", help="atoms that are closer are unphysical")
    )
    uncertainty: float | None = setting(
        None,
        Number(
            above=0,
            most=MOST_NOISE,
            help="structures that are more uncertain are unphysical; units of the measure",
        ),
    )


@dataclass(frozen=True, kw_only=True)
class LoopSettings(Settings):
    """Everything loop.toml says. file: its name."""

    source: ClassVar[str] = "loop settings"

    loop: LoopTable = setting(REQUIRED, Nested(LoopTable))
    samplers: tuple[SamplerSettings, ...] = setting(REQUIRED, Kinds(SAMPLERS, required=True))
    label: LabelSettings = setting(REQUIRED, Kind(LABELS, required=True))
    select: SelectSettings = setting(SelectSettings(), Nested(SelectSettings))
    limits: LimitSettings = setting(LimitSettings(), Nested(LimitSettings))
    file: str = "loop settings"

    def check(self) -> None:
        if self.select.by == RANDOM:
            for own in (self.loop, self.limits):
                if own.uncertainty is not None:
                    raise own.error("uncertainty", 'none, as [select] by = "random" measures none')

    @property
    def folder(self) -> Path:
        """Of the loop."""
        return Path(self.loop.folder)

    @property
    def home(self) -> Path:
        """The folder of loop.toml."""
        return Path(self.file).parent

    def place_of(self, sampler: int) -> Place:
        """The place of a sampler, from 0 on, in the file."""
        return Place(self.file, key="samplers").nth(sampler, len(self.samplers))


def load_loop(path: str | Path) -> LoopSettings:
    """Read and check loop.toml; names of files are relative to its folder.

    Raises SoapGprError naming the file, the table and the key.
    """
    path = Path(path)
    return parse_loop(read_toml(path), str(path))


def parse_loop(values: dict, file: str = "loop settings") -> LoopSettings:
    """The same of nested dictionaries, laid out like loop.toml."""
    settings = read(LoopSettings, values, Place(file))
    return replace(settings.in_folder(Path(file).parent), file=file)
