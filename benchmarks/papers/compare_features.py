# SPDX-License-Identifier: BSD-3-Clause
"""Feature reconstruction errors between representations, on molecules of QM7 and on methane.

Environments of carbon in QM7 for bases, contraction and selection, all beside Gaussian-type
orbitals; those of CH4 with random hydrogens for body orders. With --check the global errors are
compared with those of skmatter (pip install skmatter).

  python benchmarks/papers/compare_features.py --check
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import COSINE, machine, pin_to_one_core, table

pin_to_one_core()

import ase.io  # noqa: E402
import numpy as np  # noqa: E402

from potential.descriptors import Features  # noqa: E402
from potential.descriptors.chosen import descriptor_of  # noqa: E402
from potential.scores.reconstruction import (  # noqa: E402
    CUTOFFS,
    compare_features,
    global_reconstruction_error,
)

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CHOSEN = "feature_selection = {method = '%s', n_features = 105}"
FADING = "".join(f"{key} = {value!r}\n" for key, value in COSINE.items())
PLAIN = f"cutoff = 4.0\n{FADING}atom_sigma = 0.3\n"
SETTINGS = {
    "QM7": {
        "GTO": "n_max = 4\nl_max = 4",
        "GTO, n_max 2": "n_max = 2\nl_max = 4",
        "GTO, l_max 2": "n_max = 4\nl_max = 2",
        "GTO, n_max 6": "n_max = 6\nl_max = 4",
        "Laplacian": "n_max = 4\nl_max = 4\nbasis = 'laplacian'",
        "GTO, 5 Å": "n_max = 4\nl_max = 4\ncutoff = 5.0\n" + FADING,
        "contracted, 10 channels": "n_max = 4\nl_max = 4\ncontraction = {n_channels = 10}",
        "contracted, 5 channels": "n_max = 4\nl_max = 4\ncontraction = {n_channels = 5}",
        "CUR, 10 %": "n_max = 4\nl_max = 4\n" + CHOSEN % "cur",
        "farthest points, 10 %": "n_max = 4\nl_max = 4\n" + CHOSEN % "fps",
    },
    "methane": {
        "power spectrum": "n_max = 3\nl_max = 2",
        "radial spectrum": "n_max = 3\nl_max = 0\nrepresentation = 'radial_spectrum'",
        "bispectrum": "n_max = 3\nl_max = 2\nrepresentation = 'bispectrum'",
        "power spectrum, n_max 6, l_max 4": "n_max = 6\nl_max = 4",
    },
}
FILES = {"QM7": ("QM7/*.xyz", 250), "methane": ("methane/random_methane_3k.xyz", 600)}


def main() -> None:
    arguments = options().parse_args()
    results: dict[str, Any] = {}
    for name, settings in SETTINGS.items():
        frames = frames_of(name, arguments)
        made = {own: features(text, frames) for own, text in settings.items()}
        reference, *others = made
        rows, results[name] = [], {}
        for other in (reference, *others):
            found = compare_features(
                made[reference],
                made[other],
                centers=["C"],
                n_environments=200 if arguments.quick else 600,
                n_local=20,
                zeta=2.0,
            )
            errors = found.errors
            n_features = made[other].values.shape[1]
            results[name][other] = {"n_features": n_features, **errors}
            own = [f"{e:.3f}" for kind in ("global", "local", "kernel") for e in errors[kind]]
            rows.append([other, n_features, *own])
            print(other, file=sys.stderr, flush=True)
        columns = [f"{kind} {way}" for kind in ("GFRE", "LFRE", "ζ = 2") for way in ("to", "back")]
        head = [f"{name}: from {reference} to", "features", *columns]
        print(f"{table(head, rows)}\n{found.n_train} to learn from, {found.n_test} to test on\n")
        if arguments.check:
            print(f"largest difference to skmatter: {checked(made):.1e}\n")
    if arguments.json:
        content = {"machine": machine(["ase", "skmatter"]), "errors": results}
        Path(arguments.json).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def features(text: str, frames: list[Any]) -> Features:
    """Of a fit.toml with these lines, each after the first of a name in its place."""
    lines = dict(line.split(" = ", 1) for line in (PLAIN + text).splitlines())
    body = "\n".join(f"{key} = {value}" for key, value in lines.items())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fit.toml"
        path.write_text(f"[[terms]]\n{body}\n")
        return descriptor_of(path, None, 1)(frames)


def frames_of(name: str, arguments: argparse.Namespace) -> list[Any]:
    """A random choice that is always the same."""
    pattern, n = FILES[name]
    files = sorted(arguments.data.glob(pattern))
    if not files:
        raise SystemExit(f"{arguments.data / pattern} was not found: see --data")
    frames = [atoms for file in files for atoms in ase.io.read(file, ":")]
    n = n // 5 if arguments.quick else n
    return [frames[k] for k in np.random.default_rng(0).permutation(len(frames))[:n]]


def checked(made: dict[str, Features]) -> float:
    """The largest difference of global errors to those of skmatter, same rows and folds."""
    from skmatter.linear_model import Ridge2FoldCV
    from skmatter.metrics import global_reconstruction_error as of_skmatter

    reference, *others = made.values()
    rows = np.flatnonzero(reference.numbers == 6)[:400]
    train, test, largest = np.arange(0, len(rows), 2), np.arange(1, len(rows), 2), 0.0
    folds = [(np.arange(0, len(train), 2), np.arange(1, len(train), 2))]
    for other in others:
        X, Y = reference.values[rows], other.values[rows]
        for own in ((X, Y), (Y, X)):
            estimator = Ridge2FoldCV(
                alphas=CUTOFFS,
                alpha_type="relative",
                regularization_method="cutoff",
                cv=folds,
                scoring="neg_root_mean_squared_error",
            )
            expected = of_skmatter(*own, train_idx=train, test_idx=test, estimator=estimator)
            found = global_reconstruction_error(*own, train, test)
            largest = max(largest, abs(found - expected))
    return largest


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the reference data")
    parser.add_argument("--quick", action="store_true", help="a fifth of the structures")
    parser.add_argument("--check", action="store_true", help="compare with skmatter as well")
    parser.add_argument("--json", metavar="FILE", help="write the numbers")
    return parser


if __name__ == "__main__":
    main()
