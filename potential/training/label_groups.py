# SPDX-License-Identifier: BSD-3-Clause
"""Labels by kind and by the level of [noise] that applies to them, for rows of unit noise.

Rows that have not met any level of [noise] can be used again with others: rows of one label and
group are all divided by the same level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from potential.settings import NoiseSettings, Sigmas
from potential.structures.label_table import LABELS
from potential.structures.structure import Structure
from potential.training.noise import given, row_sigmas

UNIT_NOISE = NoiseSettings(Sigmas(1.0, 1.0, 1.0))
# In the place of a config_type: labels with expected errors of their own, whatever [noise] says.
OWN = "\0own"


@dataclass(frozen=True)
class LabelRows:
    """The rows of one label of a structure among its rows for some noise."""

    label: str
    group: str  # config_type, or OWN
    rows: slice
    sigma: np.ndarray  # (count,) what they were divided by

    @property
    def count(self) -> int:
        return len(self.sigma)


def label_rows(structure: Structure, noise: NoiseSettings = UNIT_NOISE) -> Iterator[LabelRows]:
    """The labels of a structure that have rows for this noise, in their order."""
    sigmas, begin = row_sigmas(noise, structure), 0
    for label in LABELS.values():
        own = getattr(structure, f"sigma_{label.name}")
        sigma = sigmas[label.rows]
        sigma = sigma[np.isfinite(sigma)]
        if not len(sigma):
            continue
        group = structure.config_type if own is None else OWN
        yield LabelRows(label.name, group, slice(begin, begin + len(sigma)), sigma)
        begin += len(sigma)


def level(noise: NoiseSettings, label: str, group: str) -> float:
    """The level of [noise] that rows of a label and group are to be divided by; 1 for OWN."""
    return 1.0 if group == OWN else given(noise.of(group), LABELS[label])
