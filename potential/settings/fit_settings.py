# SPDX-License-Identifier: BSD-3-Clause
"""The settings of a fit, fit.toml as frozen dataclasses; settings_file.py reads it."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from potential.basis import SoapBasis
from potential.structures.label_names import LabelKeys

BASES = ("gto", "laplacian")
SPARSE_METHODS = ("fps", "cur", "leverage", "random", "kmeans", "file")
SPARSE_BASES = ("environments", "derivatives")
BASELINES = ("fit", "average", "isolated_atom")


@dataclass(frozen=True)
class DataSettings:
    """[data]: files as ``name``, ``glob*`` or ``name@start:stop:step``, absolute or as given."""

    train: tuple[str, ...]
    test: tuple[str, ...] = ()
    keys: LabelKeys = field(default_factory=LabelKeys)


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
        values = _strict(plain(self))
        values["data"] |= values["data"].pop("keys")
        return values

    def to_toml(self) -> dict[str, Any]:
        """Nested dictionaries laid out like fit.toml, whatever the values are."""
        values = _given(plain(self))
        values.pop("file", None)
        data, noise = values.get("data"), values.get("noise")
        if isinstance(data, dict) and isinstance(data.get("keys"), dict):
            data |= data.pop("keys")
        if isinstance(noise, dict) and isinstance(noise.get("default"), dict):
            noise |= noise.pop("default")
        terms = values.get("terms")
        for term in terms if isinstance(terms, list) else []:
            # with points from a file, fit.toml has no n_sparse
            of_file = isinstance(term, dict) and term.get("sparse_method") == "file"
            if of_file and term.get("n_sparse") == SoapTermSettings.n_sparse:
                del term["n_sparse"]
        return values


def plain(value: Any) -> Any:
    """Dictionaries, lists, numbers and strings of what Python callers give."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {own.name: plain(getattr(value, own.name)) for own in fields}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist())
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _given(value: Any) -> Any:
    """The same without None, which stands for keys that are not there."""
    if isinstance(value, dict):
        return {key: _given(item) for key, item in value.items() if item is not None}
    return [_given(item) for item in value] if isinstance(value, list) else value


def _strict(value: Any) -> Any:
    """The same with "inf" for infinity, which JSON has not."""
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_strict(item) for item in value]
    return "inf" if isinstance(value, float) and math.isinf(value) else value
