# SPDX-License-Identifier: BSD-3-Clause
"""Settings of one SOAP term, validated when they are made."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real

from ase.data import atomic_numbers, chemical_symbols

from potential.basis.gto import GtoBasis
from potential.basis.laplacian import LaplacianBasis
from potential.basis.radial_scaling import RadialScaling
from potential.errors import SoapGprError


@dataclass(frozen=True)
class SoapBasis:
    """How the neighbour density of one term is built and expanded (docs/theory.md, section 1).

    cutoff         r_c in Å
    cutoff_width   Δ in Å, 0 < Δ ≤ r_c: f_c falls from 1 at r_c − Δ to 0 at r_c
    n_max          radial functions (a count); the laplacian basis keeps fewer for l > 0
    l_max          largest angular channel, inclusive
    atom_sigma     width of the Gaussians in Å, or one per neighbour species by symbol
    basis          "gto" or "laplacian"
    radial_scaling None or {"scale": r_0 in Å, "rate": c, "exponent": m}
    central_weight u_0, weight of the central atom's own Gaussian, ≥ 0

    Raises SoapGprError with one sentence when a setting is not usable.
    """

    cutoff: float = 5.0
    cutoff_width: float = 0.5
    n_max: int = 8
    l_max: int = 6
    atom_sigma: float | Mapping[str, float] = 0.5
    basis: str = "gto"
    radial_scaling: Mapping[str, float] | None = None
    central_weight: float = 1.0

    def __post_init__(self):
        _check_positive("cutoff", self.cutoff, "Å")
        _check_positive("cutoff_width", self.cutoff_width, "Å")
        if self.cutoff_width > self.cutoff:
            raise SoapGprError(
                f"cutoff_width must not exceed cutoff = {self.cutoff} Å, found {self.cutoff_width}"
            )
        _check_integer("n_max", self.n_max, 1)
        _check_integer("l_max", self.l_max, 0)
        self._check_sigma()
        if not _is_number(self.central_weight) or self.central_weight < 0:
            raise SoapGprError(
                f"central_weight must be a number ≥ 0, found {self.central_weight!r}"
            )
        if self.basis not in ("gto", "laplacian"):
            raise SoapGprError(f'basis must be "gto" or "laplacian", found {self.basis!r}')
        if self.basis == "gto" and self.cutoff_width > 0.999 * self.cutoff:
            raise SoapGprError(
                f"cutoff_width must be less than cutoff = {self.cutoff} Å for the gto basis, whose "
                f"functions scale with cutoff - cutoff_width, found {self.cutoff_width}"
            )
        self.scaling()
        self.radial_basis()

    def _check_sigma(self):
        if not isinstance(self.atom_sigma, Mapping):
            _check_positive("atom_sigma", self.atom_sigma, "Å")
            return
        for symbol, sigma in self.atom_sigma.items():
            if atomic_numbers.get(symbol, 0) == 0:
                raise SoapGprError(f"atom_sigma: {symbol!r} is not a chemical symbol")
            _check_positive(f"atom_sigma.{symbol}", sigma, "Å")

    def sigma(self, atomic_number):
        """atom_sigma of a neighbour species in Å."""
        if not isinstance(self.atom_sigma, Mapping):
            return float(self.atom_sigma)
        symbol = chemical_symbols[atomic_number]
        if symbol not in self.atom_sigma:
            known = ", ".join(self.atom_sigma) or "nothing"
            raise SoapGprError(f"atom_sigma has no entry for {symbol}, found entries for {known}")
        return float(self.atom_sigma[symbol])

    def scaling(self):
        """The RadialScaling, or None."""
        if self.radial_scaling is None:
            return None
        return RadialScaling.from_settings(self.radial_scaling)

    def radial_basis(self):
        """The radial functions R_nl."""
        if self.basis == "gto":
            return GtoBasis(self.cutoff - self.cutoff_width, self.n_max)
        return LaplacianBasis(self.cutoff, self.n_max, self.l_max)


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def _check_positive(name, value, unit):
    if not _is_number(value) or value <= 0:
        raise SoapGprError(f"{name} must be a positive number ({unit}), found {value!r}")


def _check_integer(name, value, minimum):
    if not isinstance(value, Integral) or isinstance(value, bool) or value < minimum:
        raise SoapGprError(f"{name} must be an integer of at least {minimum}, found {value!r}")
