# SPDX-License-Identifier: BSD-3-Clause
"""From the soap descriptors of a GAP potential to soap terms (docs/gap.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from potential.basis.cutoff import COSINE, CutoffFunction
from potential.basis.radial_scaling import RadialScaling
from potential.basis.tables import segments_and_tables
from potential.errors import SoapGprError
from potential.gap.read.gap_file import Coordinate
from potential.gap.soap.channels import LARGEST, Channels, channels, without_division
from potential.gap.soap.mixing import grouped, mixed
from potential.gap.soap.radial import InversePower, radial_functions, rounding
from potential.gap.soap.term import RadialTables, dot_product_exponent

# gap_version from which on QUIP does as the descriptors' documentation says.
DIVIDES_BY_L = 1423143769
CENTRE_BY_SPECIES = 1426512068
SINGULAR = 1e8  # condition number beyond which energies agree to less than 1e-8
TOLERANCE = 1e-11


@dataclass(frozen=True)
class SoapOptions:
    """All that two descriptors must share to make one term."""

    cutoff: float
    cutoff_width: float
    n_max: int
    l_max: int
    sigma: float
    radius: float  # end of the radial basis, Å
    radial_basis: str
    scaling: RadialScaling | InversePower | None
    central_weight: float
    central_all: bool  # the centre is in the channels of all species
    diagonal_radial: bool
    nu_r: int
    nu_s: int
    species: tuple[int, ...]  # of the channels, 0: any
    divides_by_l: bool
    normalize: bool
    zeta: float
    offset: float  # σ_0²
    delta: float

    z_map: str
    mixing: tuple[int, bool, bool, bool, bool, int] | None  # the last arguments of ``mixed``
    where: str = field(compare=False)

    @property
    def channels(self) -> Channels:
        if self.mixing:
            return mixed(self.species, self.n_max, *self.mixing)
        if self.z_map:
            return grouped(self.species, self.n_max, self.z_map, self.where)
        return channels(len(self.species), self.n_max, self.diagonal_radial, self.nu_r, self.nu_s)

    @property
    def keeps_offset(self) -> bool:
        return True

    def in_center(self, z: int) -> list[int]:
        return [k for k, own in enumerate(self.species) if self.central_all or own in (0, z)]

    @property
    def f_c(self) -> CutoffFunction:
        return CutoffFunction(self.cutoff, self.cutoff_width, COSINE)

    def radial_tables(self) -> RadialTables:
        n_l, n_max = self.l_max + 1, self.n_max
        functions = radial_functions(self.radial_basis, n_max, self.l_max, self.sigma, self.radius)
        joints = self.scaling.joints(self.cutoff) if isinstance(self.scaling, InversePower) else ()
        segments, (table,) = segments_and_tables(
            self.f_c, self.scaling, [functions], TOLERANCE, joints
        )
        if not self.divides_by_l:
            table = table * np.repeat(without_division(self.l_max), n_max)
        table = table.reshape(*table.shape[:2], n_l, n_max)
        at_zero = self.central_weight * functions(np.zeros(1))[0, 0, :n_max]
        n_species = len(self.species)
        return RadialTables(segments, [table] * n_species, np.tile(at_zero, (n_species, 1)))


def read_options(values: dict[str, Any], coordinate: Coordinate, version: int) -> SoapOptions:
    """From the descriptor's options. Raises SoapGprError for what cannot be imported."""
    where = coordinate.where
    if values["average"]:
        raise SoapGprError(f"{where}: soap with average=T cannot be imported, it has no atoms")
    basis = values["radial_basis"] or "equispaced_gauss"
    if basis not in ("equispaced_gauss", "poly", "gto"):
        raise SoapGprError(f"{where}: found radial_basis={basis}, which QUIP does not know")
    zeta = dot_product_exponent("soap", coordinate)
    n_species = values["n_species"]
    species = values["species_z"]
    if len(species) != n_species or n_species < 1:
        raise SoapGprError(f"{where}: found n_species={n_species} and species_Z={species}")
    _check_sizes(values, where)
    central = values["central_reference_all_species"]
    central_all = version < CENTRE_BY_SPECIES or (n_species == 1 if central is None else central)
    error = np.sqrt(2 * values["basis_error_exponent"] * np.log(10.0))
    sigma = values["atom_sigma"]
    return SoapOptions(
        cutoff=values["cutoff"],
        cutoff_width=values["cutoff_transition_width"],
        n_max=values["n_max"],
        l_max=values["l_max"],
        sigma=sigma,
        radius=float(values["cutoff"] + sigma * error),
        radial_basis=basis,
        scaling=_scaling(values, where),
        central_weight=values["central_weight"],
        central_all=central_all,
        diagonal_radial=values["diagonal_radial"],
        nu_r=values["nu_r"],
        nu_s=values["nu_s"],
        species=species,
        divides_by_l=version >= DIVIDES_BY_L,
        normalize=values["normalise"],
        zeta=zeta,
        offset=values["covariance_sigma0"] ** 2,
        delta=coordinate.delta,
        z_map=values["z_map"],
        mixing=_mixing(values, where),
        where=where,
    )


def _check_sizes(values, where):
    limits = {"cutoff": 100, "cutoff_transition_width": values["cutoff"], "atom_sigma": 100}
    limits |= {"n_max": 100, "l_max": 30, "n_species": 118, "basis_error_exponent": 300}
    for key, largest in limits.items():
        if not (0 < values[key] <= largest or (key == "l_max" and values[key] == 0)):
            raise SoapGprError(
                f"{where}: found {key}={values[key]:g}, expected a number up to {largest:g}"
            )
    n_channels = values["n_max"] * values["n_species"]
    if (values["l_max"] + 1) * n_channels**2 > LARGEST:
        raise SoapGprError(
            f"{where}: found n_max={values['n_max']}, l_max={values['l_max']} and "
            f"{values['n_species']} species, expected at most {LARGEST:.0e} products of channels"
        )
    for key in ("central_weight", "covariance_sigma0"):
        if abs(values[key]) > 1e6:
            raise SoapGprError(f"{where}: found {key}={values[key]:g}, expected less than 1e6")
    if values["atom_sigma"] < 1e-3:
        raise SoapGprError(f"{where}: found atom_sigma={values['atom_sigma']:g} Å, too small")
    for key in ("nu_r", "nu_s"):
        if values[key] not in (0, 1, 2):
            raise SoapGprError(f"{where}: found {key}={values[key]}, expected 0, 1 or 2")
    variants = {
        "diagonal_radial": values["diagonal_radial"],
        "nu_R and nu_S": (values["nu_r"], values["nu_s"]) != (2, 2),
        "Z_map": values["z_map"],
        "R_mix and Z_mix": values["r_mix"] or values["z_mix"],
    }
    chosen = [name for name, used in variants.items() if used]
    if len(chosen) > 1:
        raise SoapGprError(f"{where}: {' with '.join(chosen)} cannot be imported")


def _mixing(values, where):
    if not (values["r_mix"] or values["z_mix"]):
        return None
    if not 1 <= values["k"] <= 1000 or (
        (values["l_max"] + 1) * (values["k"] * values["n_max"]) ** 2 > LARGEST
    ):
        raise SoapGprError(
            f"{where}: found K={values['k']} with R_mix or Z_mix, expected 1 to 1000 and at most "
            f"{LARGEST:.0e} products of channels"
        )
    keys = ("k", "r_mix", "z_mix", "sym_mix", "coupling", "mix_shift")
    return tuple(values[key] for key in keys)


def _scaling(values, where):
    if values["cutoff_dexp"] == 0:
        return None
    scale, exponent = float(values["cutoff_scale"]), values["cutoff_dexp"]
    try:
        if values["cutoff_rate"] == 0:
            return InversePower(scale, exponent)
        return RadialScaling(scale, float(values["cutoff_rate"]), float(exponent))
    except SoapGprError as error:
        raise SoapGprError(f"{where}: {error}") from None


def rounding_warnings(found: Iterable[SoapOptions]) -> list[str]:
    """Of radial bases in which QUIP's energies and these differ by their rounding."""
    return [
        f"{own.where}: the radial basis {own.radial_basis.upper()} of n_max={own.n_max} is close "
        "to singular and rounded differently by QUIP, energies agree to fewer digits"
        for own in found
        if rounding(own.radial_basis, own.n_max, own.l_max, own.sigma, own.radius) > SINGULAR
    ]
