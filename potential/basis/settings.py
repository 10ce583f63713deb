# SPDX-License-Identifier: BSD-3-Clause
"""Settings of the neighbour density of one SOAP term and its expansion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from potential.basis.cutoff import COSINE
from potential.basis.cutoff_settings import CutoffSettings
from potential.basis.gto import GtoBasis
from potential.basis.laplacian import LaplacianBasis
from potential.basis.optimise_settings import OptimiseSettings
from potential.basis.radial_integral import GrowingIntegral, RadialFunctions, RadialIntegral
from potential.basis.radial_scaling import RadialScaling
from potential.errors import SoapGprError
from potential.schema import (
    BySpecies,
    Choice,
    Integer,
    Nested,
    Number,
    Numbers,
    Place,
    Settings,
    Vector,
    setting,
)
from potential.schema.limits import LEAST_SIGMA, MOST_CUTOFF
from potential.schema.settings import REQUIRED
from potential.schema.values import whole
from potential.species import LAST_ELEMENT, symbol

BASES = ("gto", "laplacian")
MOST_GTO_WIDTH = 0.999  # of the cutoff
MOST_L = 20
MOST_WEIGHT = 1e6  # of a pseudo-species: products of many would overflow
CONTRACTIONS = ("pca",)
CONTRACTED_BY = ("environments", "species")
_NO_COUNT = "nothing with max_eigenvalue, from which n_max and l_max follow"
_SIGMA = Number(least=LEAST_SIGMA, most=MOST_CUTOFF, zero=True, noun="a width in Å")
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
            LAST_ELEMENT + 1,
            limit="≤ number of species, unless `start` is a table",
            help="$d_J$: number of pseudo-species",
        ),
    )
    start: str | Mapping[str, tuple[float, ...]] = setting(
        PROPERTIES,
        BySpecies(
            Choice((PROPERTIES, IDENTITY)),
            Vector(most=MOST_WEIGHT),
            limit="or by species",
            help="the map: leading directions of eq. (3f); each element for itself; or $u_{Ja}$ "
            "by species, `{Cu = [0.9, 0.1], Au = [0.7, -0.3]}`",
        ),
    )
    sigma_electronegativity: float = setting(
        0.5,
        Number(least=1e-6, most=1e6, help="$\\sigma_\\epsilon$ of eq. (3f), on Pauling's scale"),
    )
    sigma_radius: float = setting(
        0.5,
        Number(least=1e-6, most=1e6, unit="Å", help="$\\sigma_r$ of eq. (3f), van der Waals radii"),
    )
    optimise: OptimiseSettings | None = setting(
        None, Nested(OptimiseSettings, help="fits the map to energies first, from `start` on")
    )
    optimised_zeta: float | None = setting(
        None,
        Number(
            least=1,
            most=32,
            kept=whole,
            help="ζ of the kernel for which a table `start` was optimised, as a fit records it; "
            "with another `zeta` it warns",
        ),
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
        if self.optimised_zeta is not None and not isinstance(self.start, Mapping):
            raise self.error("optimised_zeta", "nothing without a table start")


@dataclass(frozen=True)
class ContractionSettings(Settings):
    """How the channels of the density are contracted (docs/theory.md eq. 2h to 2k).

    Raises SettingError unless exactly one of n_channels and retained_variance is given.
    """

    source: ClassVar[str] = "SOAP settings"
    table: ClassVar[str] = "contraction"

    method: str = setting(
        "pca", Choice(CONTRACTIONS, help="leading eigenvectors of the density's covariance, (2h)")
    )
    n_channels: int | None = setting(
        None, Integer(1, 10000, help="channels kept of each $l$, or all where there are fewer")
    )
    retained_variance: float | None = setting(
        None,
        Number(
            above=0,
            most=1,
            help="in the place of `n_channels`: the fraction of the variance that the channels of "
            "each $l$ keep at least",
        ),
    )
    by: str = setting(
        "environments",
        Choice(
            CONTRACTED_BY,
            help="what counts the same in the covariance: every environment, or every species of "
            "the centre",
        ),
    )
    optimise: OptimiseSettings | None = setting(
        None,
        Nested(
            OptimiseSettings,
            help="fits the contraction to energies first, from those eigenvectors on",
        ),
    )

    def check(self) -> None:
        if (self.n_channels is None) == (self.retained_variance is None):
            found = "neither" if self.n_channels is None else "both"
            raise self.place().says(
                f"found {found} of n_channels and retained_variance, expected one of them"
            )


@dataclass(frozen=True)
class SoapBasis(CutoffSettings):
    """How the neighbour density of one term is built and expanded (docs/theory.md, section 1).

    cutoff         r_c in Å
    cutoff_width   Δ in Å, 0 < Δ ≤ r_c: f_c falls from 1 at r_c − Δ to 0 at r_c; None: r_c / 2
    cutoff_function
                   "smooth" or "cosine": how it falls
    n_max          radial functions (a count); the laplacian basis keeps fewer for l > 0
    l_max          largest angular channel, inclusive
    max_eigenvalue None or, of the laplacian basis, the largest (z_nl / r_c)² in Å^−2, which then
                   decides n_max and l_max
    atom_sigma     width of the Gaussians in Å, or one per neighbour species by symbol; 0: δ density
    atom_sigma_growth
                   what the width grows by per Å of distance, ≥ 0
    basis          "gto" or "laplacian"
    radial_scaling None or {"scale": r_0 in Å, "rate": c, "exponent": m}
    central_weight u_0, weight of the central atom's own Gaussian, ≥ 0
    alchemy        None, or AlchemySettings: elements share pseudo-species
    contraction    None or ContractionSettings; the tables of ``tabulate`` are not contracted

    Raises SoapGprError with one sentence when a setting is not usable.
    """

    source: ClassVar[str] = "SOAP settings"

    n_max: int = setting(8, Integer(1, 30, help="number of radial functions, eq. (2c), (2d)"))
    l_max: int = setting(6, Integer(0, MOST_L, help="largest angular momentum, included"))
    max_eigenvalue: float | None = setting(
        None,
        Number(
            above=0,
            most=1e6,
            unit="Å⁻²",
            limit='with `basis = "laplacian"`, in the place of `n_max` and `l_max`',
            help="one limit on smoothness for all $l$, eq. (2e)",
        ),
    )
    atom_sigma: float | Mapping[str, float] = setting(
        0.5,
        BySpecies(
            Number(least=LEAST_SIGMA, most=MOST_CUTOFF, zero=True),
            _SIGMA,
            unit="Å",
            help="width of the Gaussians, eq. (1); or by species of the neighbour, "
            "`{O = 0.5, H = 0.3}`; 0: points instead of Gaussians, eq. (2f)",
        ),
    )
    atom_sigma_growth: float = setting(
        0.0,
        Number(
            least=0,
            most=10,
            limit="0 with `atom_sigma = 0`",
            help="how much wider the Gaussian of a neighbour is for each Å of its distance, "
            "eq. (2g)",
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
    contraction: ContractionSettings | None = setting(
        None, Nested(ContractionSettings, help="fewer channels, learned from the structures, (2h)")
    )

    @classmethod
    def given(cls, values: dict[str, Any], place: Place) -> dict[str, Any]:
        """n_max and l_max would say nothing beside max_eigenvalue, even what the defaults say."""
        for key in ("n_max", "l_max"):
            if values.get("max_eigenvalue") is not None and key in values:
                raise place.at(key).error(values[key], _NO_COUNT)
        return values

    def check(self) -> None:
        self._check_eigenvalue()
        super().check()
        if self.basis == "gto" and self._support() < (1 - MOST_GTO_WIDTH) * self.cutoff:
            raise self.error(
                "cutoff_width",
                f"less than cutoff = {self.cutoff:g} Å for the gto basis, whose functions scale "
                'with cutoff - cutoff_width where cutoff_function = "cosine"',
            )
        widths = self.atom_sigma
        of_species = widths.values() if isinstance(widths, Mapping) else [widths]
        if self.atom_sigma_growth and not all(of_species):
            raise self.error("atom_sigma_growth", "0 with atom_sigma = 0")
        try:
            self.scaling()
            self.radial_basis()
        except SoapGprError as error:
            raise self.place().says(str(error)) from None

    def _check_eigenvalue(self) -> None:
        if self.max_eigenvalue is None:
            return
        if self.basis != "laplacian":
            raise self.error("max_eigenvalue", f'nothing with basis = "{self.basis}"')
        for key in ("n_max", "l_max"):
            if getattr(self, key) != getattr(type(self), key):
                raise self.error(key, _NO_COUNT)

    def sigma(self, atomic_number: int) -> float:
        """atom_sigma of a neighbour species in Å."""
        if not isinstance(self.atom_sigma, Mapping):
            return self.atom_sigma
        name = symbol(atomic_number)
        if name not in self.atom_sigma:
            known = ", ".join(self.atom_sigma)
            raise self.place().says(
                f"atom_sigma has no entry for {name}, found entries for {known}"
            )
        return self.atom_sigma[name]

    def _support(self) -> float:
        """R_0 of the GTO basis in Å: where a cosine begins to fall, and a smooth function has
        fallen to a half."""
        width = self.f_c().width
        return self.cutoff - (width if self.cutoff_function == COSINE else 0.5 * width)

    def scaling(self) -> RadialScaling | None:
        """The function u(r)."""
        return None if self.radial_scaling is None else RadialScaling(**self.radial_scaling)

    def radial_basis(self) -> GtoBasis | LaplacianBasis:
        """The radial functions R_nl."""
        if self.basis == "gto":
            return GtoBasis(self._support(), self.n_max)
        if self.max_eigenvalue is not None:
            return LaplacianBasis.up_to(self.cutoff, self.max_eigenvalue, MOST_L)
        return LaplacianBasis(self.cutoff, self.n_max, self.l_max)

    @property
    def largest_l(self) -> int:
        """l_max, or what follows from max_eigenvalue."""
        basis = self.radial_basis()
        return basis.l_max if isinstance(basis, LaplacianBasis) else self.l_max

    @property
    def optimised(self) -> dict[str, OptimiseSettings]:
        """How tables are fitted to energies before the model is, by their keys: a map before a
        contraction of its channels."""
        tables = {"alchemy": self.alchemy, "contraction": self.contraction}
        return {key: own.optimise for key, own in tables.items() if own and own.optimise}

    def integral(self, sigma: float) -> RadialIntegral | RadialFunctions:
        """What a neighbour at r with a Gaussian of width sigma, or a point, gives for R_nl."""
        radial, l_max = self.radial_basis(), self.largest_l
        if sigma == 0:
            return RadialFunctions(radial, l_max)
        if self.atom_sigma_growth:
            return GrowingIntegral(radial, l_max, sigma, self.atom_sigma_growth, self.cutoff)
        return RadialIntegral(radial, l_max, sigma, self.cutoff)
