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
from potential.schema import (
    BySpecies,
    Choice,
    Integer,
    Nested,
    Number,
    Numbers,
    Settings,
    Vector,
    setting,
)
from potential.schema.limits import LEAST_SIGMA, LEAST_WIDTH, MOST_CUTOFF
from potential.schema.settings import REQUIRED

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


PROPERTIES, IDENTITY = "properties", "identity"


@dataclass(frozen=True)
class AlchemySettings(Settings):
    """How elements are mapped onto pseudo-species (docs/theory.md eq. 3d to 3g)."""

    table: ClassVar[str] = "alchemy"

    dimensions: int = setting(
        REQUIRED,
        Integer(
            1,
            len(chemical_symbols),
            limit="≤ number of species, unless `start` is a table",
            help="$d_J$: number of pseudo-species",
        ),
    )
    start: str | Mapping[str, tuple[float, ...]] = setting(
        PROPERTIES,
        BySpecies(
            Choice((PROPERTIES, IDENTITY)),
            Vector(),
            limit="or by species",
            help="the map: leading directions of eq. (3f); each element for itself; or $u_{Ja}$ "
            "by species, `{Cu = [0.9, 0.1], Au = [0.7, -0.3]}`",
        ),
    )
    sigma_electronegativity: float = setting(
        0.5,
        Number(above=0, most=1e6, help="$\\sigma_\\epsilon$ of eq. (3f), on Pauling's scale"),
    )
    sigma_radius: float = setting(
        0.5,
        Number(above=0, most=1e6, unit="Å", help="$\\sigma_r$ of eq. (3f), van der Waals radii"),
    )

    def check(self) -> None:
        if isinstance(self.start, Mapping):
            place = self.place().at("start")
            for symbol, weights in self.start.items():
                if len(weights) != self.dimensions or not any(weights):
                    expected = f"{self.dimensions} numbers, one for each dimension, not all zero"
                    raise place.at(symbol).error(list(weights), expected)
        if self.start != PROPERTIES:
            for key in ("sigma_electronegativity", "sigma_radius"):
                if getattr(self, key) != getattr(type(self), key):
                    raise self.error(key, f'nothing without start = "{PROPERTIES}"')


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
    alchemy        None, or AlchemySettings: elements share pseudo-species

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
    alchemy: AlchemySettings | None = setting(
        None,
        Nested(
            AlchemySettings,
            help="maps elements onto pseudo-species, eq. (3d); none: each is one of its own",
        ),
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
