# SPDX-License-Identifier: BSD-3-Clause
"""Options of soap_turbo as QUIP reads them, or one sentence why they cannot be imported."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.gap.read.gap_file import Coordinate
from potential.gap.soap.channels import LARGEST
from potential.gap.soap.term import dot_product_exponent
from potential.gap.soap_turbo.functions import Neighbour
from potential.gap.soap_turbo.importing import TurboOptions
from potential.gap.soap_turbo.radial import Width

BASES = {"poly3": 10, "poly3gauss": 11}  # and the largest alpha_max that QUIP takes
MODES = ["", "trivial", *(f"{r}_{s}" for r in range(3) for s in range(3))]
NARROWEST = 1e-3  # of the cutoff, a Gaussian
MAX_FILE = 50_000_000  # bytes of a compress_file


def read_turbo(values: Mapping[str, Any], coordinate: Coordinate) -> tuple[TurboOptions, int]:
    """Options, and the atomic number of the centres. Raises SoapGprError."""
    where = coordinate.where
    zeta = dot_product_exponent("soap_turbo", coordinate)
    hard, soft = _cutoffs(values, where)
    _check(values, where)
    species = values["species_z"]
    neighbours = _neighbours(values, hard, where)
    n_max = [own.n_max for own in neighbours]
    if (values["l_max"] + 1) * sum(n_max) ** 2 > LARGEST:
        raise SoapGprError(
            f"{where}: found alpha_max={n_max} and l_max={values['l_max']}, expected at most "
            f"{LARGEST:.0e} products of channels"
        )
    file, mode = values["compress_file"], values["compress_mode"]
    if mode not in MODES:
        raise SoapGprError(
            f"{where}: found compress_mode={mode}, expected trivial or 0_0, 0_1, ... 2_2"
        )
    if mode not in ("", "trivial") and not file and len(set(n_max)) > 1:
        raise SoapGprError(
            f"{where}: found compress_mode={mode} with alpha_max={n_max}, expected equal numbers"
        )
    options = TurboOptions(
        hard=hard,
        soft=soft,
        nf=values["nf"],
        l_max=values["l_max"],
        basis=values["basis"],
        radial_enhancement=values["radial_enhancement"],
        species=species,
        neighbours=neighbours,
        mode="" if file else mode,
        kept=_kept(coordinate.folder, file, _n_features(values, n_max), where) if file else None,
        zeta=zeta,
        delta=coordinate.delta,
        where=where,
    )
    return options, species[values["central_index"] - 1]


def _cutoffs(values, where) -> tuple[float, float]:
    hard = _one(values["rcut_hard"] or values["cutoff"], "rcut_hard", where)
    soft = hard - values["cutoff_transition_width"]
    if values["rcut_soft"]:
        soft = _one(values["rcut_soft"], "rcut_soft", where)
    if not 0 < soft < hard <= 100:
        raise SoapGprError(
            f"{where}: found rcut_soft={soft:g} and rcut_hard={hard:g}, expected "
            "0 < rcut_soft < rcut_hard <= 100"
        )
    return hard, soft


def _check(values, where):
    n_species, species = values["n_species"], values["species_z"]
    allowed: dict[str, Iterable] = {
        "l_max": range(31),
        "n_species": range(1, 119),
        "central_index": range(1, n_species + 1),
        "radial_enhancement": range(3),
        "basis": BASES,
        "scaling_mode": ("polynomial",),
    }
    for key, wanted in allowed.items():
        if values[key] not in wanted:
            listed = list(wanted)
            text = (
                f"{listed[0]} to {listed[-1]}" if len(listed) > 3 else " or ".join(map(str, listed))
            )
            raise SoapGprError(f"{where}: found {key}={values[key]}, expected {text}")
    distinct = len(set(species)) == len(species) == n_species
    if not distinct or not all(0 < z < 119 for z in species):
        raise SoapGprError(
            f"{where}: found n_species={n_species} and species_Z={species}, expected as many "
            "different atomic numbers"
        )
    if not 0.1 <= values["nf"] <= 1000:
        raise SoapGprError(f"{where}: found nf={values['nf']:g}, expected 0.1 to 1000")


def _neighbours(values, hard: float, where: str) -> tuple[Neighbour, ...]:
    n_species, sigma = values["n_species"], values["atom_sigma"]
    lists = {
        "alpha_max": values["alpha_max"] or values["n_max"],
        "atom_sigma_r": values["atom_sigma_r"] or sigma,
        "atom_sigma_t": values["atom_sigma_t"] or sigma,
        "atom_sigma_r_scaling": values["atom_sigma_r_scaling"] or (0.0,) * n_species,
        "atom_sigma_t_scaling": values["atom_sigma_t_scaling"] or (0.0,) * n_species,
        "amplitude_scaling": values["amplitude_scaling"] or (1.0,) * n_species,
        "central_weight": values["central_weight"] or (1.0,) * n_species,
    }
    for key, own in lists.items():
        if len(own) != n_species:
            raise SoapGprError(
                f"{where}: found {len(own)} numbers of {key}, expected n_species={n_species}"
            )
    if n_species == 1:
        lists["central_weight"] = (1.0,)  # QUIP reads it for several species only
    found = []
    for n_max, sr, st, slope_r, slope_t, amplitude, weight in zip(*lists.values(), strict=True):
        largest = BASES[values["basis"]]
        if n_max not in range(1, largest + 1):
            raise SoapGprError(f"{where}: found alpha_max={n_max:g}, expected 1 to {largest}")
        widths = {"r": Width(sr, slope_r), "t": Width(st, slope_t)}
        for key, width in widths.items():
            if not NARROWEST * hard <= width.least(hard) <= 100 or abs(width.slope) > 100:
                raise SoapGprError(
                    f"{where}: found atom_sigma_{key}={width.at_zero:g} with a scaling of "
                    f"{width.slope:g}, expected {NARROWEST * hard:g} to 100 Å at all distances"
                )
        if not (amplitude in (0, 0.5) or 1 <= amplitude <= 100):
            raise SoapGprError(
                f"{where}: found amplitude_scaling={amplitude:g}, expected 0, 0.5 or 1 to 100"
            )
        if abs(weight) > 1e6:
            raise SoapGprError(f"{where}: found central_weight={weight:g}, expected less than 1e6")
        found.append(Neighbour(int(n_max), widths["r"], widths["t"], amplitude, weight))
    return tuple(found)


def _one(numbers: tuple[float, ...], key: str, where: str) -> float:
    if len(numbers) != 1:
        raise SoapGprError(f"{where}: found {len(numbers)} numbers of {key}, expected one")
    return numbers[0]


def _n_features(values, n_max) -> int:
    return (values["l_max"] + 1) * sum(n_max) * (sum(n_max) + 1) // 2


def _kept(folder: Path, name: str, n_features: int, where: str) -> tuple[int, ...]:
    """Features that a compress_file keeps, from 0: two numbers that QUIP does not use, their
    number, and then one to a line, from 1."""
    file = folder / name
    if not file.is_file():
        file = folder / file.name  # of a potential that was moved
    if not file.is_file():
        raise SoapGprError(f"{where}: the compress_file {file} is missing")
    if file.stat().st_size > MAX_FILE:
        raise SoapGprError(f"{where}: the compress_file {file} is larger than {MAX_FILE} bytes")
    lines = [
        line.replace(",", " ").split() for line in file.read_text(errors="replace").split("\n")
    ]
    lines = [line for line in lines if line]
    header, used = list[str](), 0
    while len(header) < 3 and used < len(lines):
        header, used = header + lines[used], used + 1
    try:
        count = int(header[2])
        kept = [int(line[0]) - 1 for line in itertools.islice(lines, used, used + count)]
    except (IndexError, ValueError):
        raise SoapGprError(f"{where}: found no integers in the compress_file {file}") from None
    expected = len(kept) == count and len(np.unique(kept)) == count
    if count < 1 or not expected or min(kept) < 0 or max(kept) >= n_features:
        raise SoapGprError(
            f"{where}: found {len(kept)} numbers in the compress_file {file}, expected {count} "
            f"different ones from 1 to {n_features}"
        )
    return tuple(kept)
