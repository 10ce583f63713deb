# SPDX-License-Identifier: BSD-3-Clause
"""Two bases for the same regression at equal numbers of weights: kernels of sparse environments,
and derivatives of kernels by the coordinates of sparse structures (docs/theory.md eq. 13e).

The data are looked for in ../shared/data beside the repository.

  python benchmarks/accuracy/derivative_basis.py
  python benchmarks/accuracy/derivative_basis.py --sets acetylacetone --weights 450 --zeta 2
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import ase.io
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import COSINE, add_output_option, describe, emit, machine, table

from potential import fit
from potential.model.evaluation import evaluate_structures
from potential.scores.metrics import ALL

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SETS = {
    "acetylacetone": {
        "train": "acetylacetone/train_300K.xyz@::5",
        "test": "acetylacetone/test_MD_300K.xyz@:300:6",
        "noise": {"energy_per_atom": 1e-3, "force": 0.02},
        "term": {"cutoff": 4.0, "n_max": 6, "l_max": 4, "atom_sigma": 0.3} | COSINE,
    },
    "Si": {
        "train": "mlearn_Si/train.xyz@::4",
        "test": "mlearn_Si/test.xyz",
        "noise": {"energy_per_atom": 2e-3, "force": 0.05},
        "term": {"cutoff": 5.0, "n_max": 8, "l_max": 6, "atom_sigma": 0.5} | COSINE,
    },
}
COLUMNS = {
    "set": "set",
    "basis": "basis",
    "weights": "weights",
    "energy_rmse": "E RMSE meV/atom",
    "force_rmse": "F RMSE meV/Å",
    "sparse_points": "sparse points run",
    "fit_seconds": "fit s",
    "ms_per_atom": "ms/atom",
}
BASES = ("environments", "derivatives")


def main() -> None:
    arguments = _arguments()
    results = []
    for name in arguments.sets:
        for n_weights in arguments.weights:
            for basis in BASES:
                results.append(run(name, basis, n_weights, arguments.zeta, arguments.data))
                print(results[-1], file=sys.stderr, flush=True)
    information = machine(["scipy", "vesin"])
    rows = [[result[key] for key in COLUMNS] for result in results]
    head = list(COLUMNS.values())
    text = f"{describe(information)}\nzeta {arguments.zeta}\n\n{table(head, rows)}"
    result = {
        "benchmark": "accuracy/derivative_basis",
        "machine": information,
        "zeta": arguments.zeta,
        "sets": SETS,
        "results": results,
    }
    emit(text, result, arguments.json)


def run(name: str, basis: str, n_weights: int, zeta: int, data: Path) -> dict:
    """Fit with about so many weights, divided among the species as their atoms are."""
    own = SETS[name]
    train, test = (str(data / own[key]) for key in ("train", "test"))
    symbols = Counter(s for atoms in ase.io.read(*split(train)) for s in atoms.symbols)
    share = n_weights / sum(symbols.values())
    n_sparse = n_weights
    if basis == "environments":
        n_sparse = {symbol: round(share * count) for symbol, count in symbols.items()}
    term = own["term"] | {"zeta": zeta, "sparse_basis": basis, "n_sparse": n_sparse}
    start = time.perf_counter()
    settings = {"data": {"train": [train], "test": [test]}, "terms": [term], "noise": own["noise"]}
    result = fit(settings, progress=False)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    evaluate_structures(result.model, result.test)
    evaluation = time.perf_counter() - start
    points = [len(own) for own in result.model.sparse_points(0).values()]
    errors = result.test_errors[ALL]
    return {
        "set": name,
        "basis": basis,
        "weights": result.model.n_weights,
        "energy_rmse": 1e3 * errors["energy"].rmse,
        "force_rmse": 1e3 * errors["force"].rmse,
        "train_force_rmse": 1e3 * result.train_errors[ALL]["force"].rmse,
        "sparse_points": int(np.sum(points)),
        "fit_seconds": round(seconds, 1),
        "ms_per_atom": 1e3 * evaluation / sum(map(len, result.test)),
        "residual_per_label": result.provenance["residual_per_label"],
        "condition_number": result.provenance["condition_number"],
    }


def split(name: str) -> tuple[str, str]:
    """File and slice."""
    file, _, indices = name.partition("@")
    return file, indices or ":"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--weights", nargs="+", type=int, default=[225, 450, 900])
    parser.add_argument("--zeta", type=int, default=2)
    parser.add_argument("--data", type=Path, default=DATA)
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
