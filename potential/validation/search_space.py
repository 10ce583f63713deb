# SPDX-License-Identifier: BSD-3-Clause
"""The [tune] table of a fit.toml: what is searched, and how."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from potential.errors import SoapGprError
from potential.settings import FitSettings
from potential.settings.file import parse_settings
from potential.settings.limits import MOST_FOLDS, MOST_POINTS, MOST_SEED, MOST_TRIALS
from potential.settings.table import Table

METHODS = ("tpe", "grid")
OBJECTIVES = ("combined", "energy", "force", "virial")
NOISE = ("fixed", "marginal_likelihood")


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    key: str
    values: tuple[Any, ...]

    def grid(self) -> list[Any]:
        return list(self.values)


@dataclass(frozen=True)
class Range:
    """A number from low to high; integers where both ends are."""

    key: str
    low: float
    high: float
    log: bool
    points: int | None  # of a grid

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


@dataclass(frozen=True)
class TuneSettings:
    """[tune] with the settings that it starts from, as read from the file."""

    values: dict[str, Any]  # fit.toml without [tune]
    file: str
    search: tuple[Choice | Range, ...]
    folds: int = 5
    trials: int = 30
    method: str = "tpe"
    objective: str = "combined"
    noise: str = "fixed"
    seed: int = 0

    @property
    def start(self) -> FitSettings:
        return self.fit_settings({})

    def fit_settings(self, parameters: Mapping[str, Any]) -> FitSettings:
        """The settings of a trial; raises SoapGprError where they are not allowed."""
        values = with_parameters(self.values, parameters, self.file)
        return parse_settings(values, file=self.file, folder=Path(self.file).parent)

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
    table = Table(values["tune"], file, "tune")
    search = table.take("search", required=True)
    settings = TuneSettings(
        values=fit_values,
        file=file,
        search=tuple(_search(Table(search, file, "tune.search"))),
        folds=table.integer("folds", TuneSettings.folds, least=2, most=MOST_FOLDS),
        trials=table.integer("trials", TuneSettings.trials, least=1, most=MOST_TRIALS),
        method=table.choice("method", TuneSettings.method, METHODS),
        objective=table.choice("objective", TuneSettings.objective, OBJECTIVES),
        noise=table.choice("noise", TuneSettings.noise, NOISE),
        seed=table.integer("seed", TuneSettings.seed, least=0, most=MOST_SEED),
    )
    table.finish()
    _check(settings)
    return settings


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
            raise SoapGprError(
                f"{file}: [tune.search] {key}: found {word}, expected the number of a table, "
                f"0 to {len(place) - 1}"
            )
        return place[int(word)]
    if not isinstance(place, dict):
        raise SoapGprError(f"{file}: [tune.search] {key}: expected the name of a setting")
    return place.setdefault(word, [{}] if word == "terms" else {})


def _needs_no_rows(key: str) -> bool:
    return key.startswith(("noise.", "solver.")) or key.endswith(".delta")


def _search(table: Table, prefix: str = "") -> Iterator[Choice | Range]:
    """Keys in quotation marks, or bare ones, which TOML reads as nested tables."""
    if not prefix and not table.values:
        raise SoapGprError(f"{table.where()} found nothing, expected a key of fit.toml to search")
    for name, value in table.values.items():
        key = f"{prefix}{name}"
        if key.startswith("data.") or key == "data":
            raise SoapGprError(
                f"{table.where(key)}: the data are the same in all trials, expected another key"
            )
        if key.startswith("tune.") or key == "tune":
            raise SoapGprError(f"{table.where(key)}: found how to search, expected what to search")
        if isinstance(value, list):
            if not value:
                raise table.error(name, "at least one value")
            yield Choice(key, tuple(value))
        elif isinstance(value, dict) and not {"low", "high"} & set(value):
            nested = Table(value, table.file, table.name, f"[{table.name}] {key}")
            yield from _search(nested, f"{key}.")
        elif isinstance(value, dict):
            yield _range(Table(value, table.file, f"{table.name}.{key}"), key)
        else:
            raise table.error(name, "a list of values or a table with low and high")


def _range(table: Table, key: str) -> Range:
    low = table.number("low", required=True)
    high = table.number("high", required=True)
    log = table.take("log", False)
    if not isinstance(log, bool):
        raise table.error("log", "true or false")
    points = table.integer("points", 2, least=2, most=MOST_POINTS)
    table.finish()
    if not low < high or (log and low <= 0):
        raise table.error(
            "high" if low >= high else "low", "0 < low < high" if log else "low < high"
        )
    if isinstance(table.values["low"], int) and isinstance(table.values["high"], int):
        low, high = int(low), int(high)
    return Range(key, low, high, log, points if "points" in table.values else None)


def _check(settings: TuneSettings) -> None:
    """Every end of the search by itself must be allowed."""
    start = settings.start
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
    if settings.objective == "combined" and not any(
        math.isfinite(x) for x in vars(start.noise.default).values()
    ):
        raise SoapGprError(f"{settings.file}: [noise]: found inf for every label, expected numbers")
