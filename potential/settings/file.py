# SPDX-License-Identifier: BSD-3-Clause
"""fit.toml, checked in full before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from potential.settings.fit_settings import (
    BASELINES,
    BaselineSettings,
    DataSettings,
    FitSettings,
    LabelKeys,
    NoiseSettings,
    Sigmas,
    SolverSettings,
    ZblSettings,
    plain,
)
from potential.settings.limits import MOST_CUTOFF, MOST_NOISE
from potential.settings.table import Table, is_number, read_toml
from potential.settings.terms import read_terms
from potential.structures.labels import LARGEST, SMALLEST_SIGMA


def load_settings(path: str | Path) -> FitSettings:
    """Read and check fit.toml. Data files are taken relative to the folder of the file.

    Raises SoapGprError naming the file, the table and the key.
    """
    path = Path(path)
    return parse_settings(read_toml(path), file=str(path), folder=path.parent)


def parse_settings(
    values: Mapping[str, Any], *, file: str = "fit settings", folder: str | Path = "."
) -> FitSettings:
    """Check settings given as nested dictionaries, laid out like fit.toml."""
    root = Table(plain(values), file)
    settings = FitSettings(
        data=_data(root, Path(folder)),
        baseline=_baseline(root.table("baseline"), Path(folder)),
        terms=read_terms(root, Path(folder)),
        noise=_noise(root.table("noise")),
        solver=_solver(root.table("solver")),
        file=file,
    )
    root.take("tune")  # soap-gpr tune reads it
    root.finish()
    return settings


def _data(root: Table, folder: Path) -> DataSettings:
    if "data" not in root.values:
        root.take("data", required=True)
    table = root.table("data")
    data = DataSettings(
        train=tuple(str(folder / name) for name in table.strings("train", required=True)),
        test=tuple(str(folder / name) for name in table.strings("test")),
        keys=LabelKeys(**{key.name: table.string(key.name) for key in fields(LabelKeys)}),
    )
    table.finish()
    return data


def _baseline(table: Table, folder: Path) -> BaselineSettings:
    key = "isolated_atom_energies"
    if isinstance(table.values.get(key), dict):
        energies: Any = table.by_species(
            key,
            lambda value: is_number(value, -LARGEST, LARGEST),
            f"an energy in eV, at most {LARGEST:g} in size",
        )
    else:
        energies = table.choice(key, "fit", BASELINES)
    settings = BaselineSettings(energies, _zbl(table), _pair_table(table, folder))
    table.finish()
    return settings


def _zbl(table: Table) -> ZblSettings | None:
    if "zbl" not in table.values:
        table.take("zbl")
        return None
    own = table.table("zbl")
    inner, outer = (own.number(key, above=0, most=MOST_CUTOFF) for key in ("inner", "outer"))
    settings = ZblSettings(inner, outer)
    own.finish()
    if settings.inner and settings.outer and settings.inner >= settings.outer:
        raise own.error("inner", f"less than outer = {settings.outer:g}")
    return settings


def _pair_table(table: Table, folder: Path) -> str | None:
    name = table.string("pair_table")
    return None if name is None else str(folder / name)


def _sigmas(table: Table, default: Sigmas) -> Sigmas:
    return Sigmas(
        *(
            table.number(
                key, getattr(default, key), least=SMALLEST_SIGMA, most=MOST_NOISE, infinite=True
            )
            for key in ("energy_per_atom", "force", "virial_per_atom")
        )
    )


def _noise(table: Table) -> NoiseSettings:
    default = _sigmas(table, Sigmas())
    by_type = table.table("config_type")
    overrides = {}
    for name in by_type.values:
        entry = by_type.table(name)
        overrides[name] = _sigmas(entry, default)
        entry.finish()
    table.finish()
    return NoiseSettings(default, overrides)


def _solver(table: Table) -> SolverSettings:
    jitter = table.number("jitter", SolverSettings().jitter, least=0, most=1)
    table.finish()
    return SolverSettings(jitter)
