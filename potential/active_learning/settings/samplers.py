# SPDX-License-Identifier: BSD-3-Clause
"""[[samplers]]: where new structures come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from potential.active_learning.settings.values import Elements, SomeFiles, kind
from potential.schema import File, Integer, Items, Number, Settings, setting
from potential.schema.settings import REQUIRED

MOST_RUNS, MOST_STRUCTURES, MOST_STEPS, MOST_PROCESSES = 1000, 1_000_000, 1_000_000, 1000
MOST_TEMPERATURE = 1e5  # K


def _kind(name: str) -> Any:
    return kind(name, "kind of the sampler")


def _structures() -> Any:
    return setting(
        REQUIRED,
        SomeFiles(help="structures that runs start from, one at random for each run"),
    )


@dataclass(frozen=True, kw_only=True)
class SamplerSettings(Settings):
    """What all kinds have."""

    table: ClassVar[str] = "[samplers]"

    kind: str = _kind("")


@dataclass(frozen=True, kw_only=True)
class PoolSettings(SamplerSettings):
    """A file of structures."""

    kind: str = _kind("pool")
    structures: tuple[str, ...] = setting(
        REQUIRED,
        SomeFiles(
            help="files of structures, whose labels are not looked at; those that were selected "
            "are left out of later generations"
        ),
    )


@dataclass(frozen=True, kw_only=True)
class RandomSettings(SamplerSettings):
    """Random changes of structures, then a relaxation with the model."""

    kind: str = _kind("random")
    structures: tuple[str, ...] = _structures()
    runs: int = setting(10, Integer(1, MOST_STRUCTURES, help="structures changed per generation"))
    rattle: float = setting(
        0.1, Number(least=0, most=10, unit="Å", help="standard deviation of moves of the atoms")
    )
    strain: float = setting(
        0.0,
        Number(
            least=0,
            most=0.5,
            help="standard deviation of the strain components, of structures that are periodic in "
            "all directions",
        ),
    )
    steps: int = setting(
        0, Integer(0, MOST_STEPS, help="steps of a relaxation with the model, by ASE's FIRE")
    )
    every: int = setting(
        10, Integer(1, MOST_STEPS, help="steps between two frames of it; the last is always kept")
    )

    def check(self) -> None:
        if not (self.rattle or self.strain or self.steps):
            raise self.error("rattle", "more than 0, or strain or steps: nothing changes else")


@dataclass(frozen=True, kw_only=True)
class DynamicsSettings(SamplerSettings):
    """Runs of a program with an input of the user's."""

    input: str = setting(REQUIRED, File(help="input of the program, with placeholders, below"))
    structures: tuple[str, ...] = _structures()
    runs: int = setting(1, Integer(1, MOST_RUNS, help="runs per generation"))
    temperature: tuple[float, ...] = setting(
        (),
        Items(
            Number(above=0, most=MOST_TEMPERATURE),
            unit="K",
            help="what `${temperature}` stands for in the runs, in turn",
        ),
    )


@dataclass(frozen=True, kw_only=True)
class LammpsSettings(DynamicsSettings):
    """Runs of LAMMPS."""

    kind: str = _kind("lammps")
    species: tuple[str, ...] = setting(
        REQUIRED, Elements(help="elements of the atom types in their order, as in `pair_coeff`")
    )
    ranks: int = setting(1, Integer(1, MOST_PROCESSES, help="MPI ranks of a run"))


@dataclass(frozen=True, kw_only=True)
class IpiSettings(DynamicsSettings):
    """Runs of i-PI, served by `soap-gpr drive`."""

    kind: str = _kind("ipi")
    clients: int = setting(1, Integer(1, MOST_PROCESSES, help="clients that serve a run"))


SAMPLERS: dict[str, type[SamplerSettings]] = {
    "pool": PoolSettings,
    "random": RandomSettings,
    "lammps": LammpsSettings,
    "ipi": IpiSettings,
}
