# SPDX-License-Identifier: BSD-3-Clause
"""Where a search looks next: all combinations, or what a sampler of optuna proposes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from potential.errors import SoapGprError
from potential.validation.search_space import Choice, Range, TuneSettings

_LEAST_FOR_IMPORTANCE = 10  # trials
_POPULATION = (4, 50)  # least and most of a generation of NSGA-II
_GENERATIONS = 5  # at least, where the trials are few


class Proposals(Protocol):
    """Values of the searched keys, one trial after the other."""

    def parameters(self) -> Iterator[dict[str, Any]]:
        """The values of the next trial, which is told before the one after it is asked for."""

    def tell(self, values: Sequence[float] | None) -> None:
        """The objectives that the trial asked for last had; None: it failed."""

    def importance(self) -> list[dict[str, float]]:
        """For each objective the share of each key in what sets its best trials apart, or
        nothing."""


def proposals(settings: TuneSettings) -> Proposals:
    """Those of the method of the settings. Raises SoapGprError where optuna is missing."""
    return Grid(settings) if settings.is_grid else Sampled(settings)


class Grid:
    """All combinations, in an order that uses rows again."""

    def __init__(self, settings: TuneSettings):
        self._settings = settings

    def parameters(self) -> Iterator[dict[str, Any]]:
        return self._settings.grid()

    def tell(self, values: Sequence[float] | None) -> None:
        """Nothing that was found changes the order."""

    def importance(self) -> list[dict[str, float]]:
        return []


class Sampled:
    """A study of optuna with the sampler of the method."""

    def __init__(self, settings: TuneSettings):
        self._optuna = _optuna(settings.method)
        self._settings = settings
        self._study = self._optuna.create_study(
            sampler=_sampler(self._optuna.samplers, settings),
            directions=["minimize"] * len(settings.objectives),
        )
        self._asked: Any = None

    def parameters(self) -> Iterator[dict[str, Any]]:
        for _ in range(self._settings.trials):
            self._asked = self._study.ask()
            yield {item.key: self._suggested(item) for item in self._settings.search}

    def tell(self, values: Sequence[float] | None) -> None:
        if self._asked is None:  # the settings as they stood were no proposal of the study
            return
        if values is None:
            self._study.tell(self._asked, state=self._optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(self._asked, list(values))

    def importance(self) -> list[dict[str, float]]:
        done = self._study.get_trials(states=[self._optuna.trial.TrialState.COMPLETE])
        if len(done) < _LEAST_FOR_IMPORTANCE or len(self._settings.search) < 2:
            return []
        return [self._importance_for(k) for k in range(len(self._settings.objectives))]

    def _importance_for(self, k: int) -> dict[str, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = self._optuna.importance.PedAnovaImportanceEvaluator()
            found = self._optuna.importance.get_param_importances(
                self._study, evaluator=evaluator, target=lambda trial: trial.values[k]
            )
        return {key: float(value) for key, value in found.items()}

    def _suggested(self, item: Choice | Range) -> Any:
        if isinstance(item, Choice):  # by number: values may be tables or lists
            return item.values[self._asked.suggest_categorical(item.key, range(len(item.values)))]
        suggest = self._asked.suggest_int if item.is_integer else self._asked.suggest_float
        return item.rounded(suggest(item.key, item.low, item.high, log=item.log))


def _sampler(samplers: Any, settings: TuneSettings) -> Any:
    if settings.method == "random":
        return samplers.RandomSampler(seed=settings.seed)
    if settings.method == "nsga2":
        least, most = _POPULATION
        size = min(max(settings.trials // _GENERATIONS, least), most)
        return samplers.NSGAIISampler(population_size=size, seed=settings.seed)
    return samplers.TPESampler(seed=settings.seed)


def _optuna(method: str) -> Any:
    """The package, which takes seconds to import."""
    try:
        import optuna
    except ImportError:
        raise SoapGprError(
            f'soap-gpr tune with method = "{method}" needs optuna, which is not installed: '
            "pip install 'soap-gpr[tune]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
