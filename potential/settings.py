# SPDX-License-Identifier: BSD-3-Clause
"""The settings of a fit: fit.toml as frozen dataclasses, checked in full before anything runs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from potential.basis import SoapBasis
from potential.errors import SoapGprError
from potential.toml_table import Table, is_count, is_finite, is_positive, read_toml

BASES = ("gto", "laplacian")
SPARSE_METHODS = ("fps", "cur", "leverage", "random", "kmeans", "file")
SPARSE_BASES = ("environments", "derivatives")
BASELINES = ("fit", "average", "isolated_atom")


@dataclass(frozen=True)
class LabelKeys:
    """Where the labels are in a data file; None: what ASE's calculator results hold."""

    energy_key: str | None = None
    forces_key: str | None = None
    virial_key: str | None = None
    stress_key: str | None = None


@dataclass(frozen=True)
class DataSettings:
    """[data]: files as ``name``, ``glob*`` or ``name@start:stop:step``, absolute or as given."""

    train: tuple[str, ...]
    test: tuple[str, ...] = ()
    keys: LabelKeys = LabelKeys()


@dataclass(frozen=True)
class ZblSettings:
    """[baseline] zbl: distances in Å between which it is switched off; None: by element."""

    inner: float | None = None
    outer: float | None = None


@dataclass(frozen=True)
class BaselineSettings:
    """[baseline]: what is taken off the labels before the regression.

    isolated_atom_energies: the name of a method, or eV by chemical symbol; pair_table: a file.
    """

    isolated_atom_energies: str | Mapping[str, float] = "fit"
    zbl: ZblSettings | None = None
    pair_table: str | None = None


# Near neighbours count most; exponent 0 switches the scaling off. Chosen, like the defaults of
# Sigmas, on the Si and Cu sets of Zuo et al. (benchmarks/accuracy).
RADIAL_SCALING = {"scale": 3.0, "exponent": 4.0, "rate": 1.0}


@dataclass(frozen=True)
class SoapTermSettings:
    """One [[terms]] entry of kind "soap"; lengths in Å, delta in eV."""

    cutoff: float = 5.0
    cutoff_width: float = 0.5
    n_max: int = 8
    l_max: int = 6
    atom_sigma: float | Mapping[str, float] = 0.5
    zeta: int = 4
    basis: str = "gto"
    radial_scaling: Mapping[str, float] = field(default_factory=lambda: dict(RADIAL_SCALING))
    central_weight: float = 1.0
    n_sparse: int | Mapping[str, int] = 1000
    n_sparse_config_type: Mapping[str, int] = field(default_factory=dict)
    sparse_method: str = "fps"
    sparse_file: str | None = None
    sparse_basis: str = "environments"
    delta: float = 1.0
    seed: int = 0
    kind: str = "soap"

    def soap_basis(self) -> SoapBasis:
        """What the basis module needs of these settings; raises SoapGprError."""
        return SoapBasis(
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(SoapBasis)}
        )


@dataclass(frozen=True)
class PairTermSettings:
    """One [[terms]] entry of kind "pair"; lengths in Å, delta in eV."""

    cutoff: float = 5.0
    cutoff_width: float = 1.0
    length_scale: float = 0.6
    n_sparse: int = 20
    delta: float = 5.0
    kind: str = "pair"


@dataclass(frozen=True)
class TripletTermSettings:
    """One [[terms]] entry of kind "triplet"; lengths in Å, delta in eV."""

    cutoff: float = 4.0
    cutoff_width: float = 1.0
    length_scale: float = 1.0
    n_sparse: int = 100
    delta: float = 1.0
    seed: int = 0
    kind: str = "triplet"


TermSettings = SoapTermSettings | PairTermSettings | TripletTermSettings
# Of a triplet term: beyond this, splines of three distances outgrow every cache.
MOST_LENGTH_SCALES = 16


@dataclass(frozen=True)
class Sigmas:
    """Expected errors of the labels: eV/atom, eV/Å, eV/atom; inf leaves the label out."""

    energy_per_atom: float = 0.002
    force: float = 0.05
    virial_per_atom: float = 0.02


@dataclass(frozen=True)
class NoiseSettings:
    """[noise]: the sigmas of all structures, and those of single config_types."""

    default: Sigmas = Sigmas()
    config_type: Mapping[str, Sigmas] = field(default_factory=dict)


@dataclass(frozen=True)
class SolverSettings:
    """[solver]: jitter is relative to the mean diagonal of K_MM."""

    jitter: float = 1e-10


@dataclass(frozen=True)
class FitSettings:
    """Everything fit.toml says."""

    data: DataSettings
    terms: tuple[TermSettings, ...] = (SoapTermSettings(),)
    baseline: BaselineSettings = BaselineSettings()
    noise: NoiseSettings = NoiseSettings()
    solver: SolverSettings = SolverSettings()
    file: str = "fit settings"

    @property
    def other_files(self) -> list[str]:
        """Files other than data that the settings name."""
        soap = [term for term in self.terms if isinstance(term, SoapTermSettings)]
        names = [self.baseline.pair_table, *(term.sparse_file for term in soap)]
        return [name for name in names if name is not None]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types for the model file; an infinite sigma becomes the string "inf"."""
        values = _plain(asdict(self))
        values["data"] |= values["data"].pop("keys")
        return values


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
    root = Table(values, file)
    settings = FitSettings(
        data=_data(root, Path(folder)),
        baseline=_baseline(root.table("baseline"), Path(folder)),
        terms=_terms(root, Path(folder)),
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
        keys=LabelKeys(
            energy_key=table.string("energy_key"),
            forces_key=table.string("forces_key"),
            virial_key=table.string("virial_key"),
            stress_key=table.string("stress_key"),
        ),
    )
    table.finish()
    return data


def _baseline(table: Table, folder: Path) -> BaselineSettings:
    key = "isolated_atom_energies"
    if isinstance(table.values.get(key), dict):
        energies: Any = table.by_species(key, is_finite, "an energy in eV")
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
    settings = ZblSettings(own.number("inner", above=0), own.number("outer", above=0))
    own.finish()
    if settings.inner and settings.outer and settings.inner >= settings.outer:
        raise own.error("inner", f"less than outer = {settings.outer:g}")
    return settings


def _pair_table(table: Table, folder: Path) -> str | None:
    name = table.string("pair_table")
    return None if name is None else str(folder / name)


def _terms(root: Table, folder: Path) -> tuple[TermSettings, ...]:
    values = root.take("terms", [{}])
    if not isinstance(values, list) or not values:
        raise root.error("terms", "at least one [[terms]] table")
    several = len(values) > 1
    tables = [
        Table(value, root.file, "terms", f"[[terms]]{f' number {k + 1}' if several else ''}")
        for k, value in enumerate(values)
    ]
    return tuple(_term(table, folder) for table in tables)


def _term(table: Table, folder: Path) -> TermSettings:
    kind = table.choice("kind", "soap", ("soap", *_TERMS))
    if kind == "soap":
        return _soap_term(table, folder)
    return _TERMS[kind](table)


def _pair_term(table: Table) -> PairTermSettings:
    default = PairTermSettings()
    term = PairTermSettings(
        cutoff=table.number("cutoff", default.cutoff, above=0),
        cutoff_width=table.number("cutoff_width", default.cutoff_width, above=0),
        length_scale=table.number("length_scale", default.length_scale, above=0),
        n_sparse=table.integer("n_sparse", default.n_sparse, least=1),
        delta=table.number("delta", default.delta, above=0),
    )
    table.finish()
    _require_width_within_cutoff(table, term)
    return term


def _triplet_term(table: Table) -> TripletTermSettings:
    default = TripletTermSettings()
    term = TripletTermSettings(
        cutoff=table.number("cutoff", default.cutoff, above=0),
        cutoff_width=table.number("cutoff_width", default.cutoff_width, above=0),
        length_scale=table.number("length_scale", default.length_scale, above=0),
        n_sparse=table.integer("n_sparse", default.n_sparse, least=1),
        delta=table.number("delta", default.delta, above=0),
        seed=table.integer("seed", default.seed, least=0),
    )
    table.finish()
    _require_width_within_cutoff(table, term)
    if term.cutoff > MOST_LENGTH_SCALES * term.length_scale:
        raise SoapGprError(
            f"{table.where('length_scale')}: found {term.length_scale:g} Å, expected at least "
            f"cutoff / {MOST_LENGTH_SCALES} = {term.cutoff / MOST_LENGTH_SCALES:g} Å"
        )
    return term


def _require_width_within_cutoff(table: Table, term: PairTermSettings | TripletTermSettings):
    if term.cutoff_width > term.cutoff:
        raise SoapGprError(
            f"{table.where('cutoff_width')}: found {term.cutoff_width:g} Å, expected at most "
            f"cutoff = {term.cutoff:g} Å"
        )


def _soap_term(table: Table, folder: Path) -> SoapTermSettings:
    default = SoapTermSettings()
    term = SoapTermSettings(
        cutoff=table.number("cutoff", default.cutoff, above=0),
        cutoff_width=table.number("cutoff_width", default.cutoff_width, above=0),
        n_max=table.integer("n_max", default.n_max, least=1, most=30),
        l_max=table.integer("l_max", default.l_max, least=0, most=20),
        atom_sigma=_atom_sigma(table, default.atom_sigma),
        zeta=table.integer("zeta", default.zeta, least=1, most=32),
        basis=table.choice("basis", default.basis, BASES),
        radial_scaling=_radial_scaling(table),
        central_weight=table.number("central_weight", default.central_weight, least=0),
        n_sparse=_n_sparse(table, default.n_sparse),
        n_sparse_config_type=_quotas(table),
        sparse_method=table.choice("sparse_method", default.sparse_method, SPARSE_METHODS),
        sparse_file=_sparse_file(table, folder),
        sparse_basis=table.choice("sparse_basis", default.sparse_basis, SPARSE_BASES),
        delta=table.number("delta", default.delta, above=0),
        seed=table.integer("seed", default.seed, least=0),
    )
    table.finish()
    _check_sparse(table, term)
    try:
        term.soap_basis()
    except SoapGprError as error:
        raise SoapGprError(f"{table.where()} {error}") from None
    return term


_TERMS: dict[str, Callable[[Table], TermSettings]] = {
    "pair": _pair_term,
    "triplet": _triplet_term,
}


def _atom_sigma(table: Table, default: Any) -> Any:
    if isinstance(table.values.get("atom_sigma"), dict):
        return table.by_species("atom_sigma", is_positive, "a width in Å > 0")
    return table.number("atom_sigma", default, above=0)


def _n_sparse(table: Table, default: Any) -> Any:
    if isinstance(table.values.get("n_sparse"), dict):
        return table.by_species("n_sparse", is_count, "an integer > 0")
    return table.integer("n_sparse", default, least=1)


def _quotas(table: Table) -> dict[str, int]:
    """Sparse points of each species that come from a config_type at least."""
    own = table.table("n_sparse_config_type")
    return {name: own.integer(name, 1, least=1) for name in own.values}


def _sparse_file(table: Table, folder: Path) -> str | None:
    name = table.string("sparse_file")
    wanted = table.values.get("sparse_method") == "file"
    if wanted and "n_sparse" in table.values:
        raise table.error("n_sparse", 'nothing with sparse_method = "file", which takes all points')
    if wanted and name is None:
        raise SoapGprError(f'{table.where("sparse_file")}: missing, with sparse_method = "file"')
    if name is not None and not wanted:
        raise table.error("sparse_file", 'nothing without sparse_method = "file"')
    return None if name is None else str(folder / name)


def _check_sparse(table: Table, term: SoapTermSettings) -> None:
    """Raises SoapGprError for settings of sparse points that exclude each other."""
    quotas = sum(term.n_sparse_config_type.values())
    counts = [term.n_sparse] if isinstance(term.n_sparse, int) else term.n_sparse.values()
    if quotas and term.sparse_method == "file":
        raise table.error("n_sparse_config_type", 'nothing with sparse_method = "file"')
    if quotas > min(counts):
        raise table.error("n_sparse_config_type", f"at most n_sparse = {min(counts)} together")
    if term.sparse_basis != "derivatives":
        return
    if not isinstance(term.n_sparse, int):
        raise SoapGprError(
            f"{table.where('n_sparse')}: found a table by species, expected one number of "
            'coordinates with sparse_basis = "derivatives"'
        )
    for key in ("n_sparse_config_type", "sparse_file"):
        if getattr(term, key):
            raise table.error(key, 'nothing with sparse_basis = "derivatives"')


def _radial_scaling(table: Table) -> dict[str, float]:
    """u(r) = rate / (rate + (r/scale)^exponent), docs/theory.md eq. (1b)."""
    scaling = table.table("radial_scaling")
    values = {
        "scale": scaling.number("scale", RADIAL_SCALING["scale"], above=0),
        "exponent": scaling.number("exponent", RADIAL_SCALING["exponent"], least=0),
        "rate": scaling.number("rate", RADIAL_SCALING["rate"], above=0),
    }
    scaling.finish()
    return values


def _sigmas(table: Table, default: Sigmas) -> Sigmas:
    return Sigmas(
        *(
            table.number(key, getattr(default, key), above=0, infinite=True)
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
    jitter = table.number("jitter", SolverSettings().jitter, least=0)
    table.finish()
    return SolverSettings(jitter)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return "inf" if isinstance(value, float) and math.isinf(value) else value
