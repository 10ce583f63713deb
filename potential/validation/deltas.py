# SPDX-License-Identifier: BSD-3-Clause
"""δ of all terms together, for values that need no new rows (docs/theory.md eq. 13i)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import minimize

from potential.errors import SoapGprError
from potential.schema.limits import LEAST_DELTA, MOST_DELTA
from potential.settings import FitSettings

_STEP = np.log(3.0)  # of the first simplex
_TOLERANCE = 0.03  # of log δ, where the error is flat
_EVALUATIONS = 40  # at most, for each term


def scaled_deltas(settings: FitSettings, scales: Sequence[float] | np.ndarray) -> FitSettings:
    """The δ of all terms times their scales (n_terms,), to four digits, within the limits."""
    terms = []
    for term, scale in zip(settings.terms, scales, strict=True):
        delta = min(max(term.delta * scale, LEAST_DELTA), MOST_DELTA)
        changed: dict[str, Any] = {"delta": float(f"{delta:.4g}")}  # a setting of every kind
        terms.append(replace(term, **changed))
    return replace(settings, terms=tuple(terms))


def smallest_error_deltas(
    settings: FitSettings, error: Callable[[FitSettings], float]
) -> FitSettings:
    """The δ at which an error is smallest, from those of the settings on, by Nelder and Mead's
    simplex in log δ. What cannot be fitted counts as infinitely bad."""

    def value(log_scales: np.ndarray) -> float:
        try:
            return error(scaled_deltas(settings, np.exp(log_scales)))
        except SoapGprError:
            return np.inf

    n = len(settings.terms)
    simplex = np.vstack([np.zeros(n), _STEP * np.eye(n)])
    found = minimize(
        value,
        np.zeros(n),
        method="Nelder-Mead",
        options={
            "initial_simplex": simplex,
            "xatol": _TOLERANCE,
            "fatol": np.inf,
            "maxfev": _EVALUATIONS * n,
        },
    )
    return scaled_deltas(settings, np.exp(found.x))
