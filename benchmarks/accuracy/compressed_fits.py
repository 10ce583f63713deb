# SPDX-License-Identifier: BSD-3-Clause
"""Errors on held-out training frames of fits with [compress], with a selection of features below
it, and with weights that are fitted again in the compressed features.

The weights are those of the same regression with the rows of the compressed kernels, and the prior
of the fit, K_MM of all features. Rows are made here from gradients of features, which takes longer
than a pass over rows of the package would.

  python benchmarks/accuracy/compressed_fits.py --sets Si MoNbTaW water --share 0.3 --n-sparse 300
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import numpy as np
from common import add_output_option, describe, emit, machine, table
from sets import DATA, SETS, held_out, settings_of
from threadpoolctl import threadpool_limits

from potential import _core
from potential.model.compression import NothingToGain, compress
from potential.model.environments import Environments
from potential.model.evaluation import evaluate_structures
from potential.runtime.ranks import Ranks
from potential.scores import metrics
from potential.scores.cost import CostMeter
from potential.selection.rows import power
from potential.settings import CompressSettings
from potential.settings.file import as_settings
from potential.terms import TrainingModel
from potential.training.accumulation import accumulate
from potential.training.choice import Choice
from potential.training.compression import measured_on
from potential.training.fitting import FitResult, fit
from potential.training.regression import solve

SELECTION = {"tolerance": 1e-4, "recouple": True, "per_species": True}
HEAD = ["set, model", "dimensions", "E MAE meV/atom", "F MAE meV/Å", "training F", "µs/atom"]


class CompressedRows(TrainingModel):
    """A compressed model of normalised features, the same for all centres, with rows."""

    def rows(self, environments: Environments, gradients: bool = True) -> np.ndarray:
        """As of a model that is not compressed."""
        n = len(environments)
        rows, begin = np.zeros((3 * n + 7 if gradients else 1, self.n_weights)), 0
        for t in range(len(self.terms)):
            for a, points in self.sparse_points(t).items():
                own = rows[:, begin : begin + len(points)]
                for i in np.flatnonzero(environments.species == a):
                    self._add(own, t, a, points, environments, int(i))
                begin += len(points)
        return rows

    def _add(
        self, rows: np.ndarray, t: int, a: int, points: np.ndarray, of: Environments, i: int
    ) -> None:
        term, P = self.terms[t], self.arrays.get(f"term{t}.projection.{a}")
        centers = np.array([i], dtype=np.uint64)
        p_hat, _, atoms, gradients = _core.feature_gradients(self.core, t, of, centers)
        Y = points if P is None else points @ P
        x, zeta = Y @ p_hat[0], term["zeta"]
        rows[0] += term["delta"] ** 2 * power(x, zeta)
        if len(rows) == 1:
            return
        slope = term["delta"] ** 2 * zeta * power(x, zeta - 1)
        force = 1 + 3 * atoms.astype(np.int64)[:, None] + np.arange(3)
        virial = len(rows) - 6 + np.arange(6)
        rows[np.concatenate([force.ravel(), virial])] -= gradients @ Y.T * slope


def main() -> None:
    arguments = _arguments()
    rows, found = [], dict[str, Any]()
    for name in arguments.sets:
        with tempfile.TemporaryDirectory() as folder:
            data = held_out(name, Path(folder), arguments.seed, arguments.share, arguments.data)
            for row in measured(name, data, arguments):
                rows.append([f"{name}, {row['model']}", *list(row.values())[1:]])
                found.setdefault(name, []).append(row)
                print(table(HEAD, rows[-1:]), file=sys.stderr, flush=True)
    information = machine()
    result = {"benchmark": "accuracy/compressed_fits", "machine": information, "sets": found}
    result |= {key: getattr(arguments, key) for key in ("share", "seed", "n_sparse")}
    emit(f"{describe(information)}\n\n{table(HEAD, rows)}", result, arguments.json)


def measured(name: str, data: dict[str, Any], arguments: argparse.Namespace):
    """A row for each model of a set."""
    meter, term = None, {"n_sparse": arguments.n_sparse}
    for words, more in (("all features", {}), ("selected", {"feature_selection": SELECTION})):
        settings = settings_of(name, {"terms": [term | more]}, data)
        fitted = fit(settings)
        meter = meter or CostMeter.of_data(fitted.train)
        yield _row(words, fitted.model, fitted, meter)
        for tolerance in arguments.tolerance:
            structures = measured_on(CompressSettings(), fitted.train)
            own = f"{words}, {1e3 * tolerance:g} meV/Å"
            try:
                model = compress(fitted.model, structures, tolerance).model
            except NothingToGain as error:
                print(f"{own}: {error}", file=sys.stderr)
                continue
            yield _row(own, model, fitted, meter)
            if not more and not arguments.no_refit:
                refitted = with_new_weights(fitted, model, settings)
                yield _row(f"{own}, fitted again", refitted, fitted, meter)


def with_new_weights(
    fitted: FitResult, model: TrainingModel, settings: dict[str, Any]
) -> TrainingModel:
    """The compressed model with the weights of a regression in its features."""
    own, rows = as_settings(settings), CompressedRows(model.to_bytes())
    with threadpool_limits(limits=1, user_api="blas"):
        triangle = accumulate(Choice(rows), fitted.train, own, Ranks()).triangle()
        K_MM = TrainingModel(fitted.model.to_bytes()).kernel_matrix()
        return rows.with_weights(solve(triangle.R, K_MM, own.solver.jitter).weights)


def _row(words: str, model: Any, fitted: FitResult, meter: CostMeter) -> dict[str, Any]:
    test, train = (
        metrics.errors(structures, evaluate_structures(model, structures))[metrics.ALL]
        for structures in (fitted.test, fitted.train)
    )
    sizes = [own.shape[0] for key, own in model.arrays.items() if ".projection." in key]
    sizes = sizes or [own.shape[1] for own in model.sparse_points(0).values()]
    return {
        "model": words,
        "dimensions": ", ".join(map(str, sizes)),
        "energy_mae": 1e3 * test["energy"].mae,
        "force_mae": 1e3 * test["force"].mae,
        "train_force_mae": 1e3 * train["force"].mae,
        "us_per_atom": meter.measure(model).us_per_atom,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["Si", "MoNbTaW", "water"])
    parser.add_argument("--tolerance", type=float, nargs="+", default=[5e-4, 2e-2], help="eV/Å")
    parser.add_argument("--n-sparse", type=int, default=1000, help="per species")
    parser.add_argument("--share", type=float, default=1.0, help="of the training frames")
    parser.add_argument("--seed", type=int, default=1, help="of the frames held out")
    parser.add_argument("--no-refit", action="store_true", help="no weights fitted again")
    parser.add_argument("--data", type=Path, default=DATA, help="reference data")
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
