# SPDX-License-Identifier: BSD-3-Clause
"""A model fitted again from the triangle that it keeps, without data and without rows."""

from __future__ import annotations

from threadpoolctl import threadpool_limits

from potential.errors import SoapGprError
from potential.model import TRIANGLE, Model
from potential.settings import SolverSettings
from potential.terms import TrainingModel
from potential.training.provenance import made_now, solved
from potential.training.regression import solve

_NOT_OF_THE_REFIT = (
    "train_errors",
    "test_errors",
    "term_shares",
    "elimination",
    "uncertainty",
    "seconds",
    "ranks",
)


def refit(model: Model, *, jitter: float) -> TrainingModel:
    """The model of the same fit with another [solver] jitter (docs/theory.md eq. 13a).

    model: one that was fitted with ``[solver] keep_factor = true``. Its record has the new jitter
    and lacks the errors of the old weights: ``soap-gpr evaluate`` finds the new ones. It has no
    measures of uncertainty, which are those of the old fit. Raises
    SoapGprError when there is no triangle of the model's size, or as ``regression.solve``.
    """
    jitter = SolverSettings(jitter=jitter).jitter
    R = model.arrays.get(TRIANGLE)
    if R is None:
        raise SoapGprError(
            "found no triangular factor in the model, expected one: fit with [solver] keep_factor "
            "= true"
        )
    if len(R) != model.n_weights + 1:
        raise SoapGprError(
            f"found a triangular factor of {len(R)} columns in the model, expected "
            f"{model.n_weights + 1}, one for each weight and one for the targets"
        )
    settings, record = model.metadata["settings"], model.metadata["provenance"]
    if not record.get("fitted_labels"):
        raise SoapGprError(
            "found no fitted_labels in the model's provenance, expected their number"
        )
    trained = TrainingModel(model.without_uncertainty().to_bytes())
    # one thread, as in a fit: the sums of several round differently
    with threadpool_limits(limits=1, user_api="blas"):
        solution = solve(R, trained.kernel_matrix(), jitter)
    solver = settings.get("solver", {}) | {"jitter": jitter}
    kept = {key: value for key, value in record.items() if key not in _NOT_OF_THE_REFIT}
    kept |= made_now() | solved(solution, record["fitted_labels"], record.get("delta_factor", 1.0))
    refitted = trained.with_weights(solution.weights)
    return refitted.with_record(settings | {"solver": solver}, kept)
