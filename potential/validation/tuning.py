# SPDX-License-Identifier: BSD-3-Clause
"""Search for settings with small cross-validation errors."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from potential.errors import SoapGprError
from potential.runtime.progress import Progress, silent
from potential.runtime.ranks import Ranks
from potential.scores.benchmark import processor
from potential.scores.cost import Cost, CostMeter
from potential.scores.metrics import UNITS
from potential.settings import FitSettings, NoiseSettings
from potential.structures.label_table import LABELS
from potential.training.compression import compressed
from potential.training.maps import relative_errors, wanted
from potential.training.noise import has_potential
from potential.validation.cross_validation import CrossValidation, FoldFactors
from potential.validation.deltas import smallest_error_deltas
from potential.validation.marginal_likelihood import log_marginal_likelihood, maximum_likelihood
from potential.validation.objectives import COST, in_order, not_dominated
from potential.validation.proposals import proposals
from potential.validation.row_store import prepare, read_data
from potential.validation.search_space import TuneSettings, as_tune, with_parameters
from potential.validation.target_folds import TargetErrors

CACHE_BYTES = 2 * 2**30  # triangular factors kept for trials that need no new rows


@dataclass(frozen=True)
class Trial:
    """One set of values of the keys, and what came of it."""

    number: int  # 0: the settings as they stood
    parameters: dict[str, Any]
    values: dict[str, float]  # by objective; empty where the fit failed, and error says why
    rmse: dict[str, float] = field(default_factory=dict)  # eV/atom, eV/Å, eV/atom
    fold_rmse: dict[str, list[float]] = field(default_factory=dict)
    targets: dict[str, TargetErrors] = field(default_factory=dict)
    cost: Cost | None = None  # where it is an objective
    log_likelihood: float | None = None
    noise: dict[str, Any] | None = None  # [noise] by marginal likelihood
    delta: dict[str, float] = field(default_factory=dict)  # eV by key: terms.0.delta, ...
    seconds: float = 0.0
    error: str = ""

    @property
    def value(self) -> float | None:
        """That of the first objective; None where the fit failed."""
        return next(iter(self.values.values()), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return _finite({"number": self.number, "value": self.value} | asdict(self))


@dataclass
class Tuning:
    """All trials so far."""

    settings: TuneSettings
    trials: list[Trial] = field(default_factory=list)
    importances: dict[str, dict[str, float]] = field(default_factory=dict)  # by objective and key
    cost_of: dict[str, Any] | None = None  # what the cost was measured on
    warnings: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def importance(self) -> dict[str, float]:
        """Of the searched keys for the first objective, sum 1; {} for few trials."""
        return next(iter(self.importances.values()), {})

    @property
    def best(self) -> Trial | None:
        """The trial of the smallest value, the first one of equals; of several objectives the one
        on the front where the first is smallest."""
        done = [trial for trial in self.trials if trial.values]
        return min(done, key=lambda trial: tuple(trial.values.values())) if done else None

    @property
    def front(self) -> list[Trial]:
        """The trials than which no other one is as good in all objectives and better in one, by
        rising cost, else by the first objective; of one objective the best trial."""
        done = [trial for trial in self.trials if trial.values]
        front = [done[k] for k in not_dominated([list(own.values.values()) for own in done])]
        return [front[k] for k in in_order(trial.values for trial in front)]

    @property
    def best_settings(self) -> FitSettings:
        """The settings of the best trial, which ``fit`` takes. Raises SoapGprError when nothing was
        evaluated."""
        return self.settings.parsed(self.best_values)

    @property
    def best_values(self) -> dict[str, Any]:
        """The same as nested dictionaries, laid out like fit.toml."""
        if self.best is None:
            raise SoapGprError("no trial could be evaluated")
        return self.values_of(self.best)

    def settings_of(self, trial: Trial) -> FitSettings:
        """The settings of a trial with what it found, which ``fit`` takes."""
        return self.settings.parsed(self.values_of(trial))

    def values_of(self, trial: Trial) -> dict[str, Any]:
        """Those of a trial as nested dictionaries."""
        found = trial.parameters | trial.delta
        values = with_parameters(self.settings.values, found, self.settings.file)
        return values if trial.noise is None else values | {"noise": trial.noise}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        tune = asdict(self.settings)
        keys = ("folds", "trials", "method", "objective", "noise", "delta", "seed", "search")
        return {
            "settings": self.settings.file,
            "tune": {key: tune[key] for key in keys},
            "units": {label: UNITS[label][0] for label in LABELS},
            "target_units": {own.name: own.unit or "" for own in self.settings.start.targets},
            "best": self.best.number if self.best else None,
            "front": [trial.number for trial in self.front],
            "cost": self.cost_of,
            "interrupted": self.interrupted,
            "importance": self.importance,
            "importances": self.importances,
            "warnings": self.warnings,
            "trials": [trial.to_dict() for trial in self.trials],
        }


def tune(
    settings: TuneSettings | Mapping[str, Any] | str | Path,
    *,
    progress: Progress = silent,
    after_trial: Callable[[Tuning], None] = lambda tuning: None,
) -> Tuning:
    """Evaluate trial after trial; an interrupt ends the search and leaves what there is.

    settings: the path of a fit.toml with a table [tune], or the same as nested dictionaries.
    after_trial is called with the results so far. Raises SoapGprError when optuna is missing or
    the data cannot be used; a trial that cannot be fitted only counts as failed.
    """
    settings = as_tune(settings)
    tuning = Tuning(settings)
    proposed = proposals(settings)
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            runner = TrialRunner(settings, progress, tuning.warnings)
            tuning.cost_of = runner.cost_of
            for number, parameters in enumerate(itertools.chain([{}], proposed.parameters())):
                trial = runner.trial(number, parameters)
                tuning.trials.append(trial)
                proposed.tell(list(trial.values.values()) or None)
                after_trial(tuning)
    except KeyboardInterrupt:
        tuning.interrupted = True
    tuning.importances = dict(zip(settings.objectives, proposed.importance(), strict=False))
    return tuning


class TrialRunner:
    """Cross-validation of trials; factors are kept for those that differ in noise, jitter
    or delta."""

    def __init__(self, settings: TuneSettings, progress: Progress, warnings: list[str]):
        self._settings, self._progress = settings, progress
        start = settings.start
        for own in start.targets:
            if own.kernel is not None:
                raise SoapGprError(
                    f"{settings.file}: target {own.name}: found a kernel between structures, "
                    "expected none: the search knows targets on sparse environments alone"
                )
        self._reference = vars(start.noise.default)
        self._data = read_data(replace(start, data=replace(start.data, test=())))
        self._factors: OrderedDict[str, FoldFactors] = OrderedDict()
        self._known: dict[str, Trial] = {}
        self._warnings = warnings
        self._warnings += self._data.warnings
        self._has_potential = has_potential(start, self._data.train)
        self._meter: CostMeter | None = None
        self._costs: dict[str, Cost] = {}
        if COST in settings.objectives:
            if not self._has_potential:
                raise SoapGprError(
                    f'{settings.file}: [tune] objective: found "{COST}", expected energies, forces '
                    "or virials in the data: it is that of a potential"
                )
            self._meter = CostMeter.of_data(self._data.train)
        for key in ("noise", "delta"):
            if getattr(settings, key) == "marginal_likelihood" and not self._has_potential:
                raise SoapGprError(
                    f'{settings.file}: [tune] {key}: found "marginal_likelihood", expected '
                    "energies, forces or virials in the data, of which it is the likelihood"
                )

    @property
    def cost_of(self) -> dict[str, Any] | None:
        """What costs are measured on, in plain JSON types; None where they are no objective."""
        if self._meter is None:
            return None
        own = {"structures": self._meter.sources, "atoms": self._meter.n_atoms}
        return own | {"processor": processor()}

    def trial(self, number: int, parameters: Mapping[str, Any]) -> Trial:
        """The trial of these values of the searched keys; δ is only found for others than trial 0,
        which is the settings as they stood."""
        begin = time.perf_counter()
        delta = self._settings.delta if number else "fixed"
        key = json.dumps([delta, dict(parameters)], sort_keys=True)
        same = self._known.get(key)
        if same is not None:
            return replace(same, number=number, seconds=0.0)
        try:
            trial = self._evaluated(number, parameters, delta)
        except SoapGprError as error:
            trial = Trial(number, dict(parameters), {}, error=str(error))
        trial = replace(trial, seconds=round(time.perf_counter() - begin, 3))
        self._known[key] = trial
        return trial

    def _evaluated(self, number: int, parameters: Mapping[str, Any], delta: str) -> Trial:
        start = self._settings.fit_settings(parameters)
        factors = self._factors_of(start)
        likely = {"noise": self._settings.noise != "fixed", "delta": delta == "marginal_likelihood"}

        def with_noise(settings: FitSettings) -> FitSettings:
            if not likely["noise"]:
                return settings
            return maximum_likelihood(factors.with_delta(settings), settings)

        def error(settings: FitSettings) -> float:
            found = with_noise(settings)
            result = factors.with_delta(found).cross_validate(found)
            return next(
                self._error(word, result) for word in self._settings.objectives if word != COST
            )

        found = start
        if delta == "cross_validation":
            found = with_noise(smallest_error_deltas(start, error))
        elif any(likely.values()):
            found = maximum_likelihood(factors, start, **likely)
        factors = factors.with_delta(found)
        result = factors.cross_validate(found)
        cost = self._cost_of(factors, found)
        return Trial(
            number,
            dict(parameters),
            {word: self._value(word, result, cost) for word in self._settings.objectives},
            result.rmse,
            result.fold_rmse,
            result.targets,
            cost,
            log_marginal_likelihood(factors, found) if self._has_potential else None,
            noise_table(found.noise) if likely["noise"] else None,
            {} if delta == "fixed" else delta_table(found),
        )

    def _cost_of(self, factors: FoldFactors, settings: FitSettings) -> Cost | None:
        """What the model of a fit to all structures costs, once for the same sparse points."""
        if self._meter is None:
            return None
        key = self._key(settings)
        if key not in self._costs:
            train = factors.prepared.train
            found = compressed(factors.fitted(settings), settings, train, Ranks(), silent)
            self._warnings += [text for text in found.warnings if text not in self._warnings]
            self._costs[key] = self._meter.measure(found.model)
        return self._costs[key]

    def _value(self, objective: str, result: CrossValidation, cost: Cost | None) -> float:
        return cost.us_per_atom if objective == COST and cost else self._error(objective, result)

    def _error(self, objective: str, result: CrossValidation) -> float:
        """Error of one label or target; or the mean over labels of error / level in [noise] at the
        start, or that of the relative errors of targets."""
        if objective in result.targets:
            return result.targets[objective].rmse
        if objective == "targets" or (objective == "combined" and not self._has_potential):
            relative = [own.relative for own in result.targets.values()]
            return sum(relative) / len(relative)
        if objective != "combined":
            if objective not in result.rmse:
                raise SoapGprError(
                    f"{self._settings.file}: [tune] objective: found {objective!r}, expected a "
                    "label that the training structures carry: "
                    f"{', '.join([*result.rmse, *result.targets])}"
                )
            return result.rmse[objective]
        levels = {label: self._reference[LABELS[label].sigma_key] for label in result.rmse}
        ratios = [result.rmse[k] / level for k, level in levels.items() if math.isfinite(level)]
        if not ratios:
            raise SoapGprError(
                f"{self._settings.file}: [noise]: found inf for every label that the training "
                "structures carry, expected a number"
            )
        return sum(ratios) / len(ratios)

    def _key(self, settings: FitSettings) -> str:
        """The same for settings of the same rows: whatever their noise levels, solver and delta,
        and what [[targets]] say of noise, scale and mean."""
        values = settings.to_dict() | {"solver": None}
        values["noise"] = sorted(settings.noise.config_type)
        if any(wanted(settings)):  # on energies that count by their noise
            values["optimised"] = relative_errors(settings, self._data.train)
        values["terms"] = [term | {"delta": None} for term in values["terms"]]
        free = dict.fromkeys(("noise", "scale", "mean"))
        values["targets"] = [target | free for target in values.get("targets", [])]
        return json.dumps(values, sort_keys=True)

    def _factors_of(self, settings: FitSettings) -> FoldFactors:
        """Factors for these settings, made where none of the same rows are kept."""
        key = self._key(settings)
        if key not in self._factors:
            prepared = prepare(settings, self._data, self._progress)
            new = FoldFactors(prepared, self._settings.folds, self._settings.seed, self._progress)
            while self._factors and self._kept_bytes() + new.nbytes > CACHE_BYTES:
                self._factors.popitem(last=False)
            self._factors[key] = new
            news = [text for text in prepared.warnings if text not in self._warnings]
            self._warnings += news
        self._factors.move_to_end(key)
        return self._factors[key].with_delta(settings)

    def _kept_bytes(self) -> int:
        return sum(factors.nbytes for factors in self._factors.values())


def delta_table(settings: FitSettings) -> dict[str, float]:
    """δ of all terms in eV, by the keys that ``[tune.search]`` has for them."""
    return {f"terms.{t}.delta": term.delta for t, term in enumerate(settings.terms)}


def noise_table(noise: NoiseSettings) -> dict[str, Any]:
    """[noise] as in a fit.toml."""
    table: dict[str, Any] = dict(vars(noise.default))
    if noise.config_type:
        table["config_type"] = {name: dict(vars(own)) for name, own in noise.config_type.items()}
    return table


def _finite(value: Any) -> Any:
    """The same without nan and inf, which JSON has not."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
