# SPDX-License-Identifier: BSD-3-Clause
"""What a search makes small: one error, or several errors and the cost together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.schema import Place, nearest
from potential.schema.values import Value, is_name
from potential.settings import FitSettings

COST = "cost"
ERRORS = ("combined", "energy", "force", "virial", "targets")
OBJECTIVES = (*ERRORS, COST)

Objective = str | tuple[str, ...]


class ObjectiveValue(Value):
    """A word, or a list of different words, which ``check_objectives`` knows with the names of
    targets; a list of one is that word."""

    def check(self, value: Any, place: Place) -> Objective:
        words = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        if not words or not all(map(is_name, words)) or len(set(words)) < len(words):
            raise place.error(value, self.expected)
        return words[0] if len(words) == 1 else words

    @property
    def expected(self) -> str:
        return "a word or a list of different words"

    @property
    def range(self) -> str:
        words = ", ".join(f'`"{option}"`' for option in OBJECTIVES)
        return f"{words}, a target, or a list of these"


def as_tuple(objective: Objective) -> tuple[str, ...]:
    """All objectives in their order."""
    return (objective,) if isinstance(objective, str) else objective


def check_objectives(objective: Objective, start: FitSettings, delta: str, file: str) -> None:
    """Raise SoapGprError for words that are no objectives of these settings, for the cost alone,
    and for several errors where δ is to make one of them small."""
    names = [own.name for own in start.targets]
    own = ERRORS if names else ERRORS[:-1]
    known, words = (*own, COST, *names), as_tuple(objective)
    place = Place(file, "tune", key="objective")
    for word in words:
        if word not in known:
            options = ", ".join(f'"{option}"' for option in known)
            raise place.error(word, f"one of {options}{nearest(word, known)}")
    if COST in words and COST in names:
        raise place.says(f'found a target named "{COST}" as well, expected another name for it')
    if words == (COST,):
        raise place.error(COST, f'an error beside it, as in ["force", "{COST}"]')
    errors = [word for word in words if word != COST]
    if delta == "cross_validation" and len(errors) > 1:
        found = ", ".join(f'"{word}"' for word in errors)
        raise SoapGprError(
            f'{file}: [tune] objective: found the errors {found} with delta = "cross_validation", '
            f'which makes one error small, expected one of them (and "{COST}")'
        )
    levels = vars(start.noise.default).values()
    if "combined" in words and not names and not any(map(math.isfinite, levels)):
        raise SoapGprError(f"{file}: [noise]: found inf for every label, expected numbers")


def not_dominated(points: Sequence[Sequence[float]]) -> list[int]:
    """Numbers of the points (n, n_objectives) than which no other one is as small in all objectives
    and smaller in one: the Pareto front, of equal points the first."""

    found, all_points = [], np.asarray(points, dtype=float)
    for k, point in enumerate(all_points):
        as_small = np.all(all_points <= point, axis=1)
        smaller = as_small & np.any(all_points < point, axis=1)
        equal_before = as_small[:k] & ~smaller[:k]
        if not smaller.any() and not equal_before.any():
            found.append(k)
    return found


def in_order(values: Iterable[Mapping[str, float]]) -> list[int]:
    """Numbers of the values by objective, by rising cost, else by the first objective."""
    listed = list(values)
    keys = [own.get(COST, next(iter(own.values()))) for own in listed]
    return sorted(range(len(listed)), key=keys.__getitem__)
