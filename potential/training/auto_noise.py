# SPDX-License-Identifier: BSD-3-Clause
"""Noise levels that the fit finds: multiples of the defaults at which the labels are most likely,
at the size of the prior at which they are so (docs/theory.md eq. 28)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np

from potential.settings import AUTO, FitSettings, NoiseSettings, Sigmas
from potential.structures.label_table import LABELS
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.terms.prior import prior_factor
from potential.training.evidence import RANGE, Evidence, climbed, level_widths
from potential.training.label_groups import OWN, label_rows
from potential.training.parts import Parts

LEAST_LABELS = 10  # for a factor to be found
NOTHING_TO_FIND = (
    f'[noise]: found "{AUTO}" and no energies, forces or virials whose level it could be'
)
_FIRST_STEPS = 4


@dataclass(frozen=True)
class LevelGroup:
    """Labels whose levels are the defaults of [noise] times one factor that is to be found."""

    labels: tuple[str, ...]
    config_type: str | None = None  # None: all that have no table of their own

    def levels(self, scale: float = 1.0) -> dict[str, float]:
        """By their keys in [noise], at this factor; to four digits."""
        start = {LABELS[label].sigma_key for label in self.labels}
        return {k: _rounded(v * scale) for k, v in vars(Sigmas()).items() if k in start}

    @property
    def table(self) -> str:
        return "[noise]" if self.config_type is None else f"[noise.config_type.{self.config_type}]"


@dataclass(frozen=True)
class LevelGroups:
    """All of them, of a fit's structures: [noise] itself, and each config_type with a table."""

    noise: NoiseSettings  # as asked for
    groups: tuple[LevelGroup, ...]

    @classmethod
    def of_structures(cls, noise: NoiseSettings, structures: Iterable[Structure]) -> LevelGroups:
        """Those of labels that there are, and whose levels are AUTO."""
        found: dict[str | None, set[str]] = {}
        for structure in structures:
            for own in label_rows(structure, noise.start):
                if _is_auto(noise, own.label, own.group):
                    found.setdefault(_table(noise, own.group), set()).add(own.label)
        names = sorted(found, key=lambda name: (name is not None, name or ""))
        groups = (LevelGroup(tuple(o for o in LABELS if o in found[n]), n) for n in names)
        return cls(noise, tuple(groups))

    def __len__(self) -> int:
        return len(self.groups)

    def number(self, label: str, config_type: str) -> int:
        """The place of the group of these labels, from 1 on; 0 where their level is given."""
        if not _is_auto(self.noise, label, config_type):
            return 0
        names = [group.config_type for group in self.groups]
        return names.index(_table(self.noise, config_type)) + 1

    def parts(self, structure: Structure) -> Iterator[tuple[int, slice]]:
        """The groups of the rows of a structure, those for ``noise.start``."""
        rows = label_rows(structure, self.noise.start)
        for number, parts in groupby(rows, key=lambda own: self.number(own.label, own.group)):
            slices = [own.rows for own in parts]
            yield number, slice(slices[0].start, slices[-1].stop)

    def found(self, scales: Sequence[float]) -> NoiseSettings:
        """[noise] with the levels of the groups at these factors."""
        scale = {group.config_type: own for group, own in zip(self.groups, scales, strict=True)}
        common = scale.get(None, 1.0)

        def sigmas(asked: Sigmas, factor: float) -> Sigmas:
            auto = [key for key, value in vars(asked).items() if value == AUTO]
            return replace(asked, **{key: factor * getattr(Sigmas(), key) for key in auto})

        asked = self.noise.config_type
        by_type = {name: sigmas(own, scale.get(name, common)) for name, own in asked.items()}
        return replace(self.noise, default=sigmas(self.noise.default, common), config_type=by_type)


def _is_auto(noise: NoiseSettings, label: str, group: str) -> bool:
    return group != OWN and getattr(noise.of(group), LABELS[label].sigma_key) == AUTO


def _table(noise: NoiseSettings, config_type: str) -> str | None:
    return config_type if config_type in noise.config_type else None


@dataclass(frozen=True)
class FoundNoise:
    """The levels that were found."""

    noise: NoiseSettings
    scales: list[float] = field(default_factory=list)  # (n_groups,) times the defaults
    delta: float = 1.0  # a factor of the δ of all terms
    record: dict[str, Any] = field(default_factory=dict)  # for the model file
    warnings: list[str] = field(default_factory=list)


def level_groups(settings: FitSettings, structures: Iterable[Structure]) -> LevelGroups | None:
    """The labels whose levels the fit is to find; None where [noise] gives them all."""
    if not settings.noise.is_auto:
        return None
    return LevelGroups.of_structures(settings.noise, structures)


def found_noise(
    groups: LevelGroups, parts: Parts, model: TrainingModel, settings: FitSettings
) -> FoundNoise:
    """The levels at which all labels are most likely, with the prior of the model's weights."""
    if not len(groups):
        return FoundNoise(groups.noise.start, warnings=[NOTHING_TO_FIND])
    return find_noise(groups, parts, prior_factor(model.kernel_matrix(), settings.solver.jitter))


def find_noise(groups: LevelGroups, parts: Parts, U: np.ndarray) -> FoundNoise:
    """The same with the prior UᵀU. A config_type with too few labels has the factor of [noise]."""
    n_rows = parts.n_rows[1:]
    enough = [n >= LEAST_LABELS for n in n_rows]
    # the group, of those that are searched, whose factor is that of each; -1: the defaults stay
    common = 0 if enough[0] and groups.groups[0].config_type is None else -1
    hosts = [k if enough[k] else common for k in range(len(groups))]
    searched = [k for k in range(len(groups)) if enough[k]]
    factors = [[parts.of(k + 1) for k, host in enumerate(hosts) if host == s] for s in searched]
    sizes = [sum(n for n, host in zip(n_rows, hosts, strict=True) if host == s) for s in searched]
    given = [0, *(k + 1 for k, host in enumerate(hosts) if host < 0)]
    evidence = Evidence([parts.of(k) for k in given], factors, sizes)
    x = [_rounded(math.exp(own)) for own in most_likely(evidence, U)]
    scale, delta = dict(zip(searched, x, strict=False)), x[-1] if searched else 1.0
    point = evidence(U, [math.log(scale[s]) for s in searched], math.log(delta))
    scales = [scale.get(host, 1.0) for host in hosts]
    warnings = [text for s in searched for text in _at_its_end(groups.groups[s], scale[s])]
    for k, group in enumerate(groups.groups):
        if 0 < n_rows[k] < LEAST_LABELS:
            warnings.append(_too_few(group, n_rows[k], scales[k], hosts[k] >= 0))
    warnings += _prior_at_its_end(delta)
    levels = [
        {
            "config_type": groups.groups[s].config_type,
            "levels": groups.groups[s].levels(scale[s]),
            "labels": size,
            "residual_per_label": float(misfit / size),
        }
        for s, size, misfit in zip(searched, sizes, point.misfits, strict=True)
    ]
    record = {"noise": levels, "delta_factor": delta} if searched else {}
    return FoundNoise(groups.found(scales), scales, delta, record, warnings)


def most_likely(evidence: Evidence, U: np.ndarray) -> np.ndarray:
    """(n_groups + 1,) logarithms of the factors of the levels, and of that of δ, at the largest
    likelihood; nothing without groups.

    First some steps of eq. (28b), which come near it from afar, as long as the likelihood grows;
    then a quasi-Newton search.
    """
    if not len(evidence.n_labels):
        return np.zeros(0)
    n, limit = np.append(evidence.n_labels, float(len(U))), math.log(RANGE)
    x = np.zeros(len(n))
    point = evidence(U, x[:-1], x[-1])
    for _ in range(_FIRST_STEPS):
        sizes = np.append(point.misfits, point.norm)
        left = n - np.append(point.determined, point.undetermined)
        step = 0.5 * np.log(np.maximum(sizes, 1e-12 * n) / np.maximum(left, 0.01 * n))
        other = np.clip(x + np.clip(step, -2.0, 2.0), -limit, limit)
        there = evidence(U, other[:-1], other[-1])
        if not there.value > point.value:
            break
        x, point = other, there

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        point = evidence(U, x[:-1], x[-1])
        return point.value, np.append(point.slopes, point.prior_slope)

    return climbed(value, x, level_widths(n), np.full(len(x), limit))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _at_its_end(group: LevelGroup, scale: float) -> list[str]:
    ends = {
        "least": (scale <= 1.01 / RANGE, "the model reproduces these labels"),
        "most": (scale >= 0.99 * RANGE, "the model knows nothing of these labels"),
    }
    return [
        f'{group.table}: found the {end} levels that "{AUTO}" looks for, {_shown(group, scale)}, '
        f"as {why}, expected numbers in their place"
        for end, (is_there, why) in ends.items()
        if is_there
    ]


def _prior_at_its_end(delta: float) -> list[str]:
    ends = {
        "least": (delta <= 1.01 / RANGE, "labels look like noise alone and the model is zero"),
        "most": (delta >= 0.99 * RANGE, "labels are much larger than the delta of [[terms]]"),
    }
    return [
        f'[noise]: found the {end} factor of all delta that "{AUTO}" looks for, {delta:g}, as {why}'
        for end, (is_there, why) in ends.items()
        if is_there
    ]


def _too_few(group: LevelGroup, n: int, scale: float, as_default: bool) -> str:
    return (
        f'{group.table}: found {n} labels, expected at least {LEAST_LABELS} to find "{AUTO}" '
        f"levels from: they are {_shown(group, scale)}, "
        + ("at the factor of [noise]" if as_default else "the defaults")
    )


def _shown(group: LevelGroup, scale: float) -> str:
    return ", ".join(f"{key} = {level:g}" for key, level in group.levels(scale).items())
