# SPDX-License-Identifier: BSD-3-Clause
"""The [[terms]] of fit.toml: one class for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from potential.basis import SoapBasis
from potential.basis.cutoff_settings import CutoffSettings, cutoff_width
from potential.basis.optimise_settings import OptimiseSettings
from potential.basis.settings import SCALING
from potential.schema import (
    ByName,
    BySpecies,
    Choice,
    File,
    Flag,
    Integer,
    Number,
    Place,
    Settings,
    setting,
)
from potential.schema.limits import (
    LEAST_DELTA,
    LEAST_SIGMA,
    MOST_CUTOFF,
    MOST_DELTA,
    MOST_PAIR_SPARSE,
    MOST_SEED,
    MOST_SPARSE,
)
from potential.schema.values import whole
from potential.settings.features import FeatureSelection, check_one_selection, kept_features

SPARSE_METHODS = ("fps", "cur", "leverage", "random", "kmeans", "file")
REPRESENTATIONS = ("power_spectrum", "radial_spectrum", "bispectrum")
PARITIES = ("even", "both")
SPARSE_BASES = ("environments", "derivatives")
SEPARATE, ALCHEMICAL, SHARED = "separate", "alchemical", "shared"
# Near neighbours count most; exponent 0 switches the scaling off. Chosen, like the defaults of
# Sigmas, on the Si and Cu sets of Zuo et al. (benchmarks/accuracy).
RADIAL_SCALING = SCALING.default
# Of a triplet term: beyond this, splines of three distances outgrow every cache.
MOST_LENGTH_SCALES = 16

_RADIAL = 'with representation = "radial_spectrum"'
_SPARSE = Integer(1, MOST_SPARSE)
_LENGTH_SCALE = Number(
    least=LEAST_SIGMA,
    most=MOST_CUTOFF,
    unit="Å",
    help="λ: distances over which the function varies",
)
_NO_COUNT = 'nothing with sparse_method = "file", which takes all points'


def term_cutoff(default: float, text: str) -> Any:
    return setting(default, Number(above=0, most=MOST_CUTOFF, unit="Å", help=text))


def term_delta(default: float, text: str) -> Any:
    return setting(default, Number(least=LEAST_DELTA, most=MOST_DELTA, unit="eV", help=text))


def sparse_count(more: str = "") -> Any:
    return setting(
        1000,
        BySpecies(
            _SPARSE,
            _SPARSE,
            help="sparse points of each species; or by species, `{O = 800, H = 1200}`" + more,
        ),
    )


def sparse_quotas() -> Any:
    return setting(
        {},
        ByName(
            _SPARSE,
            help="how many of each species' sparse points come from frames of a config_type at "
            "least, `{surface = 200, dimer = 20}`",
        ),
    )


def term_kind(name: str) -> Any:
    """The key that tells the kinds of terms apart."""
    return field(
        default=name, kw_only=True, metadata={"value": Choice((name,), help="kind of the term")}
    )


@dataclass(frozen=True)
class TermSettings(Settings):
    """One [[terms]] entry; lengths in Å, delta in eV."""

    table: ClassVar[str] = "[terms]"
    source: ClassVar[str] = Place.source

    kind: str = term_kind("")

    @property
    def delta(self) -> float:
        """δ in eV, a setting of every kind."""
        raise NotImplementedError

    @property
    def optimised(self) -> dict[str, OptimiseSettings]:
        """As of ``SoapBasis``; other kinds have no tables to optimise."""
        return {}

    @property
    def has_environments(self) -> bool:
        """Whether weights belong to sparse environments, so that targets can have some too."""
        return False

    @property
    def serves_tensors(self) -> bool:
        """Whether vectors and tensors can take its density and features."""
        return False


@dataclass(frozen=True)
class KernelTermSettings(Settings):
    """What terms have in common that are kernels of features with sparse environments.

    decisive: the settings that decide the features, for messages.
    """

    kind: str
    decisive: ClassVar[str]

    zeta: float = setting(
        4, Number(least=1, most=32, kept=whole, help="power ζ of the kernel, eq. (7), (7b)")
    )
    normalize: bool = setting(
        True,
        Flag(help="whether features have unit length, eq. (6), or are as they are"),
    )
    offset: float = setting(
        0.0, Number(least=0, most=1e6, help="constant $\\sigma_0^2$ of the kernel, eq. (7b)")
    )
    centers: str = setting(
        SEPARATE,
        Choice(
            (SEPARATE, SHARED),
            help="how kernels couple centres of different species, eq. (7d): not at all, or as if "
            "they were of one, with one set of sparse points for all",
        ),
    )
    n_sparse: int | Mapping[str, int] = sparse_count(
        "; of all together where `centers` are not separate"
    )
    n_sparse_config_type: Mapping[str, int] = sparse_quotas()
    sparse_method: str = setting(
        "fps",
        Choice(
            SPARSE_METHODS,
            help='how they are chosen, eq. (17) to (19); `"kmeans"`: the environment nearest the '
            'centre of each of `n_sparse` clusters of features; `"file"`: all those of '
            "`sparse_file`",
        ),
    )
    sparse_file: str | None = setting(None, File(help='with `sparse_method = "file"`, below'))
    delta: float = term_delta(
        1.0, "δ: size of the energies that the term is expected to describe, eq. (7)"
    )
    seed: int = setting(0, Integer(0, MOST_SEED, help="of the random choices"))
    feature_selection: FeatureSelection | None = kept_features()

    @classmethod
    def given(cls, values: dict[str, Any], place: Place) -> dict[str, Any]:
        """With points from a file, n_sparse would say nothing, even what the default says."""
        values = super().given(values, place)
        if values.get("sparse_method") == "file" and "n_sparse" in values:
            raise place.at("n_sparse").error(values["n_sparse"], _NO_COUNT)
        return values

    def check(self) -> None:
        super().check()
        if self.sparse_method == "cur" and not isinstance(self.zeta, int):
            # such a matrix may have negative eigenvalues, where the factorisation ends early
            raise self.error("zeta", 'an integer with sparse_method = "cur"')
        self._check_file()
        if self.centers != SEPARATE:
            check_one_selection(self, f'with centers = "{self.centers}"')
        if self.centers != SEPARATE and isinstance(self.n_sparse, Mapping):
            place = self.place().at("n_sparse")
            raise place.says(
                f'found a table by species, expected one number with centers = "{self.centers}"'
            )
        check_quotas(self)

    @property
    def has_environments(self) -> bool:
        return True

    def _check_file(self) -> None:
        if self.sparse_method != "file":
            if self.sparse_file is not None:
                raise self.error("sparse_file", 'nothing without sparse_method = "file"')
            return
        if self.sparse_file is None:
            raise self.place().at("sparse_file").says('missing, with sparse_method = "file"')
        if self.n_sparse != type(self).n_sparse:
            raise self.error("n_sparse", _NO_COUNT)
        if self.n_sparse_config_type:
            raise self.error("n_sparse_config_type", 'nothing with sparse_method = "file"')


@dataclass(frozen=True)
class SoapTermSettings(KernelTermSettings, SoapBasis, TermSettings):
    """One [[terms]] entry of kind "soap"; lengths in Å, delta in eV."""

    source: ClassVar[str] = Place.source
    decisive: ClassVar[str] = (
        "cutoff, n_max, l_max, basis, atom_sigma, alchemy, contraction, feature_selection"
    )

    kind: str = term_kind("soap")
    radial_scaling: Mapping[str, float] | None = setting(RADIAL_SCALING, SCALING)
    representation: str = setting(
        "power_spectrum",
        Choice(
            REPRESENTATIONS,
            help="features that are products of one, two or three density channels, eq. (5b), (5), "
            "(5d)",
        ),
    )
    parity: str = setting(
        "even",
        Choice(
            PARITIES,
            help='of a bispectrum: `"both"` keeps the products that inversion negates, so that '
            "mirror images differ, also in their energies",
        ),
    )
    centers: str = setting(
        SEPARATE,
        Choice(
            (SEPARATE, ALCHEMICAL, SHARED),
            help="how kernels couple centres of different species, eq. (7d): not at all, as alike "
            "as `alchemy` has them, or as if they were of one; the last two have one set of sparse "
            "points for all",
        ),
    )
    sparse_basis: str = setting(
        "environments",
        Choice(
            SPARSE_BASES,
            help="what the weights stand on: kernels of sparse environments, eq. (7), or "
            "derivatives of kernels by the coordinates of sparse structures, below",
        ),
    )

    @classmethod
    def given(cls, values: dict[str, Any], place: Place) -> dict[str, Any]:
        """With l_max of radial spectra, which would say nothing."""
        values = super().given(values, place)
        if values.get("representation") == "radial_spectrum" and "max_eigenvalue" not in values:
            values = {"l_max": 0, **values}
        return values

    def check(self) -> None:
        super().check()
        if self.centers == ALCHEMICAL and self.alchemy is None:
            raise self.error("centers", f'"{SEPARATE}" or "{SHARED}" without alchemy')
        if self.representation == "radial_spectrum":
            if self.max_eigenvalue is not None:
                raise self.error("max_eigenvalue", f"n_max instead, {_RADIAL}")
            if self.l_max != 0:
                raise self.error("l_max", f"0 {_RADIAL}")
        if self.parity != "even" and self.representation != "bispectrum":
            raise self.error("parity", '"even" without representation = "bispectrum"')
        for key in self.optimised if self.representation != REPRESENTATIONS[0] else ():
            raise self.error("representation", f'"{REPRESENTATIONS[0]}" with {key}.optimise')
        if self.sparse_basis == "derivatives":
            self._check_derivatives()

    @property
    def has_environments(self) -> bool:
        return self.sparse_basis == "environments"

    @property
    def serves_tensors(self) -> bool:
        return self.has_environments and self.representation == REPRESENTATIONS[0]

    def _check_derivatives(self) -> None:
        """Of functions that stand on structures, not on single environments, eq. (13h)."""
        basis = 'with sparse_basis = "derivatives"'
        if isinstance(self.n_sparse, Mapping):
            place = self.place().at("n_sparse")
            raise place.says(
                f"found a table by species, expected one number of coordinates {basis}"
            )
        for key in ("n_sparse_config_type", "sparse_file"):
            if getattr(self, key):
                raise self.error(key, f"nothing {basis}")
        check_one_selection(self, basis)
        if not isinstance(self.zeta, int):
            raise self.error("zeta", f"an integer {basis}")
        if self.centers != SEPARATE:
            raise self.error("centers", f'"{SEPARATE}" {basis}')
        if not self.normalize:
            raise self.error("normalize", f"true {basis}")
        if self.offset:
            raise self.error("offset", f"0 {basis}")


def check_quotas(settings: Any) -> None:
    """The quotas of config_types fit into n_sparse. Raises SettingError."""
    n_sparse, quotas = settings.n_sparse, sum(settings.n_sparse_config_type.values())
    least = min(n_sparse.values()) if isinstance(n_sparse, Mapping) else n_sparse
    if quotas > least:
        raise settings.error("n_sparse_config_type", f"at most n_sparse = {least} together")


@dataclass(frozen=True)
class FunctionTermSettings(CutoffSettings, TermSettings):
    """What terms of functions of distances have in common."""

    cutoff: float = term_cutoff(5.0, "$r_c$")
    cutoff_width: float | None = cutoff_width(1.0)  # the function itself can fade, too


@dataclass(frozen=True)
class PairTermSettings(FunctionTermSettings):
    """One [[terms]] entry of kind "pair"; lengths in Å, delta in eV."""

    kind: str = term_kind("pair")
    length_scale: float = setting(0.6, _LENGTH_SCALE)
    n_sparse: int = setting(
        20,
        Integer(
            1, MOST_PAIR_SPARSE, help="sparse points of each pair of species, at equal spacing"
        ),
    )
    delta: float = term_delta(5.0, "δ: size of the function")


@dataclass(frozen=True)
class TripletTermSettings(FunctionTermSettings):
    """One [[terms]] entry of kind "triplet"; lengths in Å, delta in eV."""

    kind: str = term_kind("triplet")
    cutoff: float = term_cutoff(4.0, "$r_c$: both neighbours are within it")
    length_scale: float = setting(
        1.0,
        replace(
            _LENGTH_SCALE,
            limit=f"≥ `cutoff` / {MOST_LENGTH_SCALES}",
            help=f"{_LENGTH_SCALE.help}, eq. (22c)",
        ),
    )
    n_sparse: int = setting(
        100,
        Integer(
            1,
            MOST_SPARSE,
            help="sparse points of each function, chosen among the triplets of the data",
        ),
    )
    delta: float = term_delta(1.0, "δ: size of the function")
    seed: int = setting(0, Integer(0, MOST_SEED, help="of the first sparse point"))

    def check(self) -> None:
        super().check()
        least = self.cutoff / MOST_LENGTH_SCALES
        if self.length_scale < least:
            expected = f"at least cutoff / {MOST_LENGTH_SCALES} = {least:g} Å"
            raise self.error("length_scale", expected)
