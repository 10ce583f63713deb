# SPDX-License-Identifier: BSD-3-Clause
"""The [tune] table of a fit.toml: what is searched, and how."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from potential import schema
from potential.errors import SoapGprError
from potential.schema import Flag, Integer, Number, Place, Settings, read, setting
from potential.schema.limits import MOST_FOLDS, MOST_POINTS, MOST_SEED, MOST_TRIALS
from potential.schema.settings import REQUIRED, as_table, keys, require, require_known
from potential.schema.values import Value
from potential.settings import AUTO, FitSettings
from potential.settings.file import parse_settings, read_toml
from potential.validation.objectives import Objective, ObjectiveValue, as_tuple, check_objectives

METHODS = ("tpe", "nsga2", "random", "grid")
# keys that leave labels as they are; the last ones are of vectors and tensors
_OF_TARGETS = ("noise", "scale", "mean", "terms", "n_sparse", "zeta", "n_features")
_WITHOUT_ROWS = _OF_TARGETS[:3]
NOISE = ("fixed", "marginal_likelihood")
DELTA = (*NOISE, "cross_validation")


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    key: str
    values: tuple[Any, ...]

    def grid(self) -> list[Any]:
        return list(self.values)


_ANY_NUMBER = Number(kept=lambda value: value)  # an integer where it is written as one


@dataclass(frozen=True)
class Range(Settings):
    """A number from low to high; integers where both ends are."""

    key: str
    low: float = setting(REQUIRED, _ANY_NUMBER)
    high: float = setting(REQUIRED, _ANY_NUMBER)
    log: bool = setting(False, Flag())
    points: int | None = setting(None, Integer(2, MOST_POINTS))  # of a grid

    def check(self) -> None:
        expected = "0 < low < high" if self.log else "low < high"
        if not self.low < self.high:
            raise self.error("high", expected)
        if self.log and self.low <= 0:
            raise self.error("low", expected)

    def with_equal_types(self) -> Range:
        """Integers or not, low and high alike."""
        if self.is_integer:
            return self
        return replace(self, low=float(self.low), high=float(self.high))

    @property
    def is_integer(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def is_endless(self) -> bool:
        """Whether a grid needs ``points``."""
        few_integers = self.is_integer and self.high - self.low < MOST_POINTS
        return self.points is None and not few_integers

    def grid(self) -> list[Any]:
        """``points`` values, evenly spaced (in their logarithm); all integers without ``points``"""
        if self.points is None:
            return list(range(int(self.low), int(self.high) + 1))
        values = []
        for k in range(self.points):
            share = k / max(1, self.points - 1)
            if self.log:
                values.append(self.low * (self.high / self.low) ** share)
            else:
                values.append(self.low + (self.high - self.low) * share)
        return list(dict.fromkeys(self.rounded(value) for value in values))

    def rounded(self, value: float) -> float:
        """Four digits, as people write settings, within the limits."""
        if self.is_integer:
            return round(value)
        return min(max(float(f"{value:.4g}"), self.low), self.high)


class _Search(Value):
    """A table from keys of fit.toml to lists of values and to ranges."""

    def checked(self, value: Any, place: Place) -> tuple[Choice | Range, ...]:
        if isinstance(value, tuple):
            return value
        found = tuple(_search(value, place.sub()))
        if not found:
            raise place.sub().says("found nothing, expected a key of fit.toml to search")
        return found


@dataclass(frozen=True)
class TuneSettings(Settings):
    """[tune] with the settings that it starts from, as read from the file."""

    table: ClassVar[str] = "tune"

    values: dict[str, Any]  # fit.toml without [tune]
    file: str
    search: tuple[Choice | Range, ...] = setting(
        (),
        _Search(help="what is searched, see below; required unless `delta` asks for a search"),
    )
    folds: int = setting(
        5, Integer(2, MOST_FOLDS, help="parts that the training structures are divided into")
    )
    trials: int = setting(
        30,
        Integer(
            1,
            MOST_TRIALS,
            help="number of trials for all methods but `grid`, besides trial 0, which is "
            "`fit.toml` as it stands",
        ),
    )
    method: str = setting(
        "tpe",
        schema.Choice(
            METHODS,
            help='of [optuna](https://optuna.org): `"tpe"`, tree-structured Parzen estimator; '
            '`"nsga2"`, a genetic algorithm; `"random"`; or `"grid"`: all combinations',
        ),
    )
    objective: Objective = setting(
        "combined",
        ObjectiveValue(
            help='`"energy"` (per atom), `"force"`, `"virial"` (per atom) or the name of a target: '
            'that RMSE; `"combined"`, `"targets"`: see below; a list, as `["force", "cost"]`, for '
            "what is [best for each cost](#several-objectives)",
        ),
    )
    noise: str = setting(
        "fixed",
        schema.Choice(
            NOISE,
            help='`"marginal_likelihood"`: each trial has the noise levels at which its labels '
            "are most likely",
        ),
    )
    delta: str = setting(
        "fixed",
        schema.Choice(
            DELTA,
            help="how the `delta` of all terms are found together in each trial but trial 0, from "
            "one set of rows, see below",
        ),
    )
    seed: int = setting(
        0,
        Integer(
            0, MOST_SEED, help="of the folds and of the search; the same seed gives the same trials"
        ),
    )

    @classmethod
    def given(cls, values: dict[str, Any], place: Place) -> dict[str, Any]:
        """There must be something to find."""
        if values.get("delta", "fixed") == "fixed":
            require_known(values, place, keys(cls))
            require("search", values, place)
        return values

    @property
    def objectives(self) -> tuple[str, ...]:
        """All of them; the first one counts where there can be only one."""
        return as_tuple(self.objective)

    @property
    def is_grid(self) -> bool:
        """Whether all combinations are tried; so too without a search, where it has one trial."""
        return self.method == "grid" or not self.search

    @property
    def start(self) -> FitSettings:
        return self.fit_settings({})

    def fit_settings(self, parameters: Mapping[str, Any]) -> FitSettings:
        """The settings of a trial; raises SoapGprError where they are not allowed."""
        return self.parsed(with_parameters(self.values, parameters, self.file))

    def parsed(self, values: Mapping[str, Any]) -> FitSettings:
        """Settings laid out like this file, with numbers for all noise levels; data files are named
        relative to its folder."""
        settings = parse_settings(values, file=self.file, folder=Path(self.file).parent)
        if settings.noise.is_auto and self.noise == "fixed":
            raise SoapGprError(
                f'{self.file}: [noise]: found "{AUTO}", expected numbers in a search, or [tune] '
                'noise = "marginal_likelihood", which finds levels for every trial'
            )
        return replace(settings, noise=settings.noise.start)

    def grid(self) -> Iterator[dict[str, Any]]:
        """All combinations; those that share rows follow each other."""
        order = sorted(self.search, key=lambda item: _needs_no_rows(item.key))
        for combination in itertools.product(*(item.grid() for item in order)):
            found = dict(zip((item.key for item in order), combination, strict=True))
            yield {item.key: found[item.key] for item in self.search}


def parse_tune(values: Mapping[str, Any], file: str) -> TuneSettings:
    """Check [tune] of a parsed fit.toml, and the settings at every end of the search.

    Raises SoapGprError naming the file, the table and the key.
    """
    fit_values = {key: value for key, value in values.items() if key != "tune"}
    if "tune" not in values:
        raise SoapGprError(f"{file}: [tune]: missing, expected it with [tune.search]")
    others = {"values": fit_values, "file": file}
    settings = read(TuneSettings, values["tune"], Place(file, "tune"), others)
    _check(settings)
    if "terms" not in fit_values:
        raise SoapGprError(
            f"{file}: [[terms]]: missing, expected some to search: soap-gpr settings writes those "
            "of a preset"
        )
    return settings


def as_tune(settings: TuneSettings | Mapping[str, Any] | str | Path) -> TuneSettings:
    """Settings of a search from a fit.toml, from nested dictionaries, or as they are."""
    if isinstance(settings, (str, Path)):
        return parse_tune(read_toml(Path(settings)), str(settings))
    return parse_tune(settings, Place.source) if isinstance(settings, Mapping) else settings


def with_parameters(
    values: Mapping[str, Any], parameters: Mapping[str, Any], file: str
) -> dict[str, Any]:
    """A copy with the value of every dotted key replaced: ``terms.0.cutoff``, ``noise.force``."""
    changed = copy.deepcopy(dict(values))
    for key, value in parameters.items():
        *path, last = key.split(".")
        place: Any = changed
        for word in path:
            place = _inside(place, word, key, file)
        if not isinstance(place, dict):
            raise SoapGprError(f"{file}: [tune.search] {key}: expected the name of a setting")
        place[last] = copy.deepcopy(value)
    return changed


def _inside(place: Any, word: str, key: str, file: str) -> Any:
    """The table or list item called ``word``; tables that are absent are made."""
    if isinstance(place, list):
        if not word.isdecimal() or int(word) >= len(place):
            numbers = f", 0 to {len(place) - 1}" if place else ", and found no such tables"
            raise SoapGprError(
                f"{file}: [tune.search] {key}: found {word}, expected the number of a table"
                + numbers
            )
        return place[int(word)]
    if not isinstance(place, dict):
        raise SoapGprError(f"{file}: [tune.search] {key}: expected the name of a setting")
    return place.setdefault(word, {"terms": [{}], "targets": []}.get(word, {}))


def _needs_no_rows(key: str) -> bool:
    table, *rest = key.split(".")
    of_target = table == "targets" and rest[1:] and rest[1] in _WITHOUT_ROWS
    return bool(of_target) or key.startswith(("noise.", "solver.")) or key.endswith(".delta")


def _search(values: Any, table: Place, prefix: str = "") -> Iterator[Choice | Range]:
    """Keys in quotation marks, or bare ones, which TOML reads as nested tables."""
    for name, value in as_table(values, table).items():
        key = f"{prefix}{name}"
        place = table.at(key)
        if key.startswith("data.") or key == "data":
            raise place.says("the data are the same in all trials, expected another key")
        if key.startswith("tune.") or key == "tune":
            raise place.says("found how to search, expected what to search")
        if key.startswith("compress.") or key == "compress":
            raise place.says("errors are those of models before [compress], expected another key")
        tables = value if key == "solver" and isinstance(value, list) else []
        inside = any("sparse_tolerance" in own for own in tables if isinstance(own, Mapping))
        if key == "solver.sparse_tolerance" or inside:
            raise place.says(
                "errors are those of models with all sparse points, expected another key"
            )
        first, *rest = key.split(".")
        if first == "targets" and rest[1:] and rest[1] not in _OF_TARGETS:
            words = ", ".join(_OF_TARGETS)
            raise place.says(f"the labels are the same in all trials, expected one of {words}")
        if isinstance(value, list):
            if not value:
                raise place.error(value, "at least one value")
            yield Choice(key, tuple(value))
        elif isinstance(value, Mapping) and value and not {"low", "high"} & set(value):
            yield from _search(value, table, f"{key}.")
        elif isinstance(value, Mapping):
            yield read(Range, value, place.sub(), {"key": key}).with_equal_types()
        else:
            raise place.error(value, "a list of values or a table with low and high")


def _check(settings: TuneSettings) -> None:
    """Every end of the search by itself must be allowed."""
    check_objectives(settings.objective, settings.start, settings.delta, settings.file)
    for item in settings.search:
        ends = item.values if isinstance(item, Choice) else (item.low, item.high)
        for value in ends:
            settings.fit_settings({item.key: value})
        if settings.method == "grid" and isinstance(item, Range) and item.is_endless:
            raise SoapGprError(
                f"{settings.file}: [tune.search] {item.key}: found no points, expected their "
                'number for method = "grid"'
            )
        if settings.noise != "fixed" and item.key.startswith("noise."):
            raise SoapGprError(
                f'{settings.file}: [tune] noise = "{settings.noise}" sets the noise levels, '
                f"expected no {item.key} in [tune.search]"
            )
        if settings.delta != "fixed" and item.key.endswith(".delta"):
            raise SoapGprError(
                f'{settings.file}: [tune] delta = "{settings.delta}" finds the delta of all terms, '
                f"expected no {item.key} in [tune.search]"
            )
