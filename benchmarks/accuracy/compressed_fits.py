# SPDX-License-Identifier: BSD-3-Clause
"""Errors on held-out training frames of fits with [compress], without and with weights that are
fitted again, of all features and of a selection of them.

  python benchmarks/accuracy/compressed_fits.py --sets Si MoNbTaW water --share 0.3 --n-sparse 300
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import add_output_option, describe, emit, machine, table
from sets import DATA, SETS, held_out, settings_of
from threadpoolctl import threadpool_limits

from potential.model import Model
from potential.model.evaluation import evaluate_structures
from potential.runtime.progress import silent
from potential.runtime.ranks import Ranks
from potential.scores import metrics
from potential.scores.cost import CostMeter
from potential.settings import CompressSettings, FitSettings
from potential.settings.file import as_settings
from potential.terms import TrainingModel
from potential.training.compression import compressed
from potential.training.fitting import FitResult, fit

SELECTION = {"tolerance": 1e-4, "recouple": True, "per_species": True}
HEAD = ["set, model", "dimensions", "E MAE meV/atom", "F MAE meV/Å", "training F", "µs/atom"]


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


def measured(
    name: str, data: dict[str, Any], arguments: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """A row for each model of a set."""
    meter, term = None, {"n_sparse": arguments.n_sparse}
    for words, more in (("all features", {}), ("selected", {"feature_selection": SELECTION})):
        settings = as_settings(settings_of(name, {"terms": [term | more]}, data))
        fitted = fit(settings)
        meter = meter or CostMeter.of_data(fitted.train)
        yield _row(words, fitted.model, fitted, meter)
        for tolerance in arguments.tolerance:
            for again in (False, True):
                table = CompressSettings(force=tolerance, refit=again)
                own = f"{words}, {1e3 * tolerance:g} meV/Å{', fitted again' * again}"
                yield _row(own, _compressed(fitted, settings, table), fitted, meter)


def _compressed(fitted: FitResult, settings: FitSettings, table: CompressSettings) -> Model:
    """What the fit would have written with this table."""
    of = replace(settings, compress=table), fitted.train, Ranks(), silent, 1.0
    assert isinstance(fitted.model, TrainingModel)
    with threadpool_limits(limits=1, user_api="blas"):
        return compressed(fitted.model, *of).model


def _row(words: str, model: Model, fitted: FitResult, meter: CostMeter) -> dict[str, Any]:
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
    parser.add_argument("--data", type=Path, default=DATA, help="reference data")
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
