# SPDX-License-Identifier: BSD-3-Clause
"""Noise levels that the fit finds: which labels share one, and which values make all labels most
likely (docs/theory.md eq. 28)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from potential.settings import AUTO, FitSettings, NoiseSettings, Sigmas
from potential.structures.label_table import LABELS
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.terms.prior import prior_factor
from potential.training.evidence import RANGE, Evidence, climbed, level_widths
from potential.training.label_groups import OWN, label_rows
from potential.training.noise import given
from potential.training.parts import Parts

LEAST_STRUCTURES = 20  # with a label, for a config_type to have a level of its own
LEAST_LABELS = 10  # for a level to be found
MOST_LEVELS = 8  # of one label, as each takes a triangle
NOTHING_TO_FIND = (
    f'[noise]: found "{AUTO}" and no energies, forces or virials whose level it could be'
)
_FIRST_STEPS = 4


@dataclass(frozen=True)
class LevelGroup:
    """Labels of one kind that share a level."""

    label: str
    config_types: tuple[str, ...]
    is_default: bool  # whether it is [noise] itself, for all config_types without one of their own
    start: float  # where the search begins, in the label's unit in [noise]

    @property
    def key(self) -> str:
        return LABELS[self.label].sigma_key

    @property
    def words(self) -> str:
        return self.key if self.is_default else f"{self.key} of {', '.join(self.config_types)}"


@dataclass(frozen=True)
class LevelGroups:
    """All of them, of a fit's structures: those that [noise] gives no number for."""

    noise: NoiseSettings  # as asked for
    groups: tuple[LevelGroup, ...]

    @classmethod
    def of_structures(cls, noise: NoiseSettings, structures: Sequence[Structure]) -> LevelGroups:
        """Config_types with LEAST_STRUCTURES or more have levels of their own."""
        return cls.counted(noise, Counter(key for s in structures for key in auto_labels(noise, s)))

    @classmethod
    def counted(cls, noise: NoiseSettings, counts: Mapping[tuple[str, str], int]) -> LevelGroups:
        """counts: of the structures by label and config_type. What is too small for a level of its
        own shares the default, with the largest config_type if it is too small even together."""
        groups = list[LevelGroup]()
        for label in LABELS:
            count = {name: n for (own, name), n in counts.items() if own == label and n}
            order = sorted(count, key=lambda name: (-count[name], name))
            large = [name for name in order if count[name] >= LEAST_STRUCTURES][:MOST_LEVELS]
            rest = [name for name in order if name not in large]
            if large and sum(count[name] for name in rest) < LEAST_STRUCTURES:
                rest = [large.pop(0), *rest]
            for names in ([rest] if rest else []) + [[name] for name in large]:
                start = given(noise.start.of(names[0]), LABELS[label])
                groups.append(LevelGroup(label, tuple(sorted(names)), names is rest, start))
        return cls(noise, tuple(groups))

    def __len__(self) -> int:
        return len(self.groups)

    def number(self, label: str, config_type: str) -> int:
        """The place of the group of these labels, from 1 on; 0 where their level is given."""
        if config_type == OWN or _asked(self.noise.of(config_type), label) != AUTO:
            return 0
        default = 0
        for k, group in enumerate(self.groups, 1):
            if group.label == label:
                if config_type in group.config_types:
                    return k
                default = k if group.is_default else default
        return default

    def parts(self, structure: Structure) -> Iterator[tuple[int, slice]]:
        """The groups of the rows of a structure, those for ``noise.start``."""
        for own in label_rows(structure, self.noise.start):
            yield self.number(own.label, own.group), own.rows

    def found(self, levels: Sequence[float]) -> NoiseSettings:
        """[noise] with these levels of the groups."""
        names = {name for g in self.groups if not g.is_default for name in g.config_types}
        start = self.noise.start

        def sigmas(name: str, own: Sigmas) -> Sigmas:
            numbers = {label: self.number(label, name) for label in LABELS}
            values = {self.groups[k - 1].key: levels[k - 1] for k in numbers.values() if k}
            return replace(own, **values)

        by_type = {name: sigmas(name, start.of(name)) for name in {*start.config_type, *names}}
        return replace(
            start,
            default=sigmas("", start.default),
            config_type=dict(sorted(by_type.items())),
        )


def auto_labels(noise: NoiseSettings, structure: Structure) -> Iterator[tuple[str, str]]:
    """The labels of a structure whose level is to be found, with its config_type."""
    for own in label_rows(structure, noise.start):
        if own.group != OWN and _asked(noise.of(own.group), own.label) == AUTO:
            yield own.label, own.group


def _asked(sigmas: Sigmas, label: str) -> Any:
    return getattr(sigmas, LABELS[label].sigma_key)


@dataclass(frozen=True)
class FoundNoise:
    """The levels that were found."""

    noise: NoiseSettings
    scales: list[float] = field(default_factory=list)  # (n_groups,) of levels to begin with
    record: dict[str, Any] = field(default_factory=dict)  # for the model file
    warnings: list[str] = field(default_factory=list)


def level_groups(settings: FitSettings, structures: Sequence[Structure]) -> LevelGroups | None:
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
    """The same with the prior UᵀU."""
    searched = [k for k in range(len(groups)) if parts.n_rows[k + 1] >= LEAST_LABELS]
    scales, warnings = [1.0] * len(groups), list[str]()
    stay = [k for k in range(len(groups)) if k not in searched and parts.n_rows[k + 1]]
    fixed = [parts.of(k) for k in (0, *(k + 1 for k in stay)) if parts.n_rows[k]]
    evidence = Evidence(
        fixed, [parts.of(k + 1) for k in searched], [parts.n_rows[k + 1] for k in searched]
    )
    if searched:
        for k, x in zip(searched, most_likely(evidence, U), strict=True):
            start = groups.groups[k].start
            level = float(f"{start * math.exp(x):.4g}")
            scales[k] = level / start
            warnings += _at_its_end(groups.groups[k], level)
    point = evidence(U, [math.log(scales[k]) for k in searched])
    warnings += [_too_few(groups.groups[k], parts.n_rows[k + 1]) for k in stay]
    levels = [scale * group.start for scale, group in zip(scales, groups.groups, strict=True)]
    record = [
        {
            "label": groups.groups[k].label,
            "config_types": [] if groups.groups[k].is_default else [*groups.groups[k].config_types],
            "labels": parts.n_rows[k + 1],
            "level": levels[k],
            "residual_per_label": float(misfit / parts.n_rows[k + 1]),
        }
        for k, misfit in zip(searched, point.misfits, strict=True)
    ]
    return FoundNoise(groups.found(levels), scales, {"noise": record}, warnings)


def most_likely(evidence: Evidence, U: np.ndarray) -> np.ndarray:
    """(n_groups,) logarithms of the scales at the largest likelihood.

    First some steps of eq. (28b), which come near it from afar, as long as the likelihood grows;
    then a quasi-Newton search.
    """
    x, n = np.zeros(len(evidence.n_labels)), evidence.n_labels
    limit = math.log(RANGE)
    point = evidence(U, x)
    for _ in range(_FIRST_STEPS):
        left = np.maximum(n - point.determined, 0.01 * n)
        step = 0.5 * np.log(np.maximum(point.misfits, 1e-12 * n) / left)
        other = np.clip(x + np.clip(step, -2.0, 2.0), -limit, limit)
        there = evidence(U, other)
        if not there.value > point.value:
            break
        x, point = other, there

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        point = evidence(U, x)
        return point.value, point.slopes

    return climbed(value, x, level_widths(n), np.full(len(x), limit))


def _at_its_end(group: LevelGroup, level: float) -> list[str]:
    ends = {
        "least": (level <= 1.01 * group.start / RANGE, "the model reproduces these labels"),
        "most": (level >= 0.99 * group.start * RANGE, "the model knows nothing of these labels"),
    }
    return [
        f'[noise] {group.words} = "{AUTO}": the level that was found, {level:.4g} '
        f"{LABELS[group.label].unit}, is the {end} that is looked for, as {why}: give a number"
        for end, (is_there, why) in ends.items()
        if is_there
    ]


def _too_few(group: LevelGroup, n: int) -> str:
    return (
        f'[noise] {group.words} = "{AUTO}": found {n} labels, expected at least {LEAST_LABELS} '
        f"to find a level from: it is {group.start:g} {LABELS[group.label].unit}"
    )
