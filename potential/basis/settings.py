# SPDX-License-Identifier: BSD-3-Clause
"""Settings of the neighbour density of one SOAP term and its expansion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ase.data import chemical_symbols

from potential.basis.gto import GtoBasis
from potential.basis.laplacian import LaplacianBasis
from potential.basis.radial_scaling import RadialScaling
from potential.errors import SoapGprError
from potential.schema import BySpecies, Choice, Integer, Number, Numbers, Settings, setting
from potential.schema.limits import LEAST_SIGMA, LEAST_WIDTH, MOST_CUTOFF

BASES = ("gto", "laplacian")
MOST_GTO_WIDTH = 0.999  # of the cutoff
_SIGMA = Number(least=LEAST_SIGMA, most=MOST_CUTOFF, noun="a width in Å")
SCALING = Numbers(
    {
        "scale": (
            3.0,
            Number(
                least=0.01,
                most=1e6,
                unit="Å",
                help="$r_0$, where the weight has fallen to `rate` / (`rate` + 1)",
            ),
        ),
        "exponent": (
            4.0,
            Number(
                least=0,
                most=50,
                limit="below 2 only 0 and 1",
                help="$m$; 0 switches the scaling off",
            ),
        ),
        "rate": (1.0, Number(least=1e-12, most=1e12, help="$c$")),
    },
    help="weight of a neighbour by its distance, eq. (1b)",
)


@dataclass(frozen=True)
class SoapBasis(Settings):
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

    source: ClassVar[str] = "SOAP settings"

    cutoff: float = setting(
        5.0, Number(above=0, most=MOST_CUTOFF, unit="Å", help="$r_c$, eq. (1a)")
    )
    cutoff_width: float = setting(
        0.5,
        Number(
            least=LEAST_WIDTH,
            unit="Å",
            limit=f"≤ `cutoff` (`gto`: ≤ {MOST_GTO_WIDTH} `cutoff`)",
            help="Δ: over this width neighbours fade out, eq. (1a)",
        ),
    )
    n_max: int = setting(8, Integer(1, 30, help="number of radial functions, eq. (2c), (2d)"))
    l_max: int = setting(6, Integer(0, 20, help="largest angular momentum, included"))
    atom_sigma: float | Mapping[str, float] = setting(
        0.5,
        BySpecies(
            Number(least=LEAST_SIGMA, most=MOST_CUTOFF),
            _SIGMA,
            unit="Å",
            help="width of the Gaussians, eq. (1); or by species of the neighbour, "
            "`{O = 0.5, H = 0.3}`",
        ),
    )
    basis: str = setting("gto", Choice(BASES, help="radial functions, eq. (2c) or (2d)"))
    radial_scaling: Mapping[str, float] | None = setting(None, SCALING)
    central_weight: float = setting(
        1.0,
        Number(least=0, most=1e6, help="weight $u_0$ of the central atom in the density, eq. (1)"),
    )

    def check(self) -> None:
        if self.cutoff_width > self.cutoff:
            raise self.error("cutoff_width", f"at most cutoff = {self.cutoff:g} Å")
        if self.basis == "gto" and self.cutoff_width > MOST_GTO_WIDTH * self.cutoff:
            raise self.error(
                "cutoff_width",
                f"less than cutoff = {self.cutoff:g} Å for the gto basis, whose functions scale "
                "with cutoff - cutoff_width",
            )
        try:
            self.scaling()
            self.radial_basis()
        except SoapGprError as error:
            raise self.place().says(str(error)) from None

    def sigma(self, atomic_number: int) -> float:
        """atom_sigma of a neighbour species in Å."""
        if not isinstance(self.atom_sigma, Mapping):
            return self.atom_sigma
        symbol = chemical_symbols[atomic_number]
        if symbol not in self.atom_sigma:
            known = ", ".join(self.atom_sigma)
            raise SoapGprError(f"atom_sigma has no entry for {symbol}, found entries for {known}")
        return self.atom_sigma[symbol]

    def scaling(self) -> RadialScaling | None:
        """The function u(r)."""
        return None if self.radial_scaling is None else RadialScaling(**self.radial_scaling)

    def radial_basis(self) -> GtoBasis | LaplacianBasis:
        """The radial functions R_nl."""
        if self.basis == "gto":
            return GtoBasis(self.cutoff - self.cutoff_width, self.n_max)
        return LaplacianBasis(self.cutoff, self.n_max, self.l_max)
