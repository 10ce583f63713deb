# SPDX-License-Identifier: BSD-3-Clause
"""How good the error bars of [uncertainty] are: on held-out frames, and on frames of another kind.

For each set a model is fitted with a committee and variances, calibrated on its training frames
alone, and compared with the errors of held-out ones. Frames of another temperature, of another
phase and with a broken bond are to be told from held-out ones by their largest uncertainty (area
under the ROC curve). The honest baseline is a plain committee: independent fits to halves of the
training frames, each with its own sparse points, and the scale found on frames that its members
have not seen.

  python benchmarks/uncertainty/calibration.py
  python benchmarks/uncertainty/calibration.py --sets silicon --plot calibration.png
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import add_output_option, describe, emit, machine, pin_to_one_core, table

pin_to_one_core()

import numpy as np  # noqa: E402
from calibration_sets import SETS, CalibrationSet, Frames, divide, outside  # noqa: E402
from scipy.stats import mannwhitneyu  # noqa: E402
from sklearn.decomposition import PCA  # noqa: E402
from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: E402

from potential import Model, SoapGprCalculator, fit  # noqa: E402
from potential.terms.features import features_of  # noqa: E402
from potential.uncertainty.calibration import (  # noqa: E402
    LEAST_SPREAD,
    Predicted,
    quality,
    scales,
    spearman,
)

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
N_MEMBERS = 16


def main() -> None:
    arguments = _arguments()
    results = {}
    for name in arguments.sets:
        results[name] = run_set(SETS[name], arguments)
        print(_text(name, results[name]), end="\n\n", file=sys.stderr, flush=True)
    information = machine(["scipy", "ase"])
    result = {"benchmark": "uncertainty/calibration", "machine": information, "sets": results}
    text = "\n\n".join(_text(name, own) for name, own in results.items())
    emit(f"{describe(information)}\n\n{text}", result, arguments.json)


def run_set(own: CalibrationSet, arguments: argparse.Namespace) -> dict[str, Any]:
    """Qualities, areas under the curve and times of one set."""
    frames, other = own.read(arguments.data)
    train, test = divide(frames, own, arguments.seed)
    settings = {"terms": [own.term], "noise": own.noise}
    plain, plain_seconds = timed_fit(settings, train, test)
    asked = settings | {"uncertainty": {"committee": N_MEMBERS}}
    result, seconds = timed_fit(asked, train, test)
    model = result.model
    found: dict[str, Any] = {
        "n_train": len(train),
        "n_test": len(test),
        "n_sparse": model.n_weights,
        "seconds": {"without": plain_seconds, "with": seconds},
        "force_rmse": {"full": _rmse(model, test)},
        "quality": result.provenance["uncertainty"]["quality"],
    }
    errors = [force_errors(model, atoms) for atoms in test]
    found["atoms"] = {"committee": ranks_of_atoms(errors)}
    found["learnt"] = learnt_rank(model, test, errors)
    far = outside(own, test, other, SoapGprCalculator(plain.model, n_threads=1), arguments.seed)
    found["areas"] = areas(lambda atoms: measures(model, atoms), test, far)
    if arguments.fits:
        found |= independent(settings, train, test, far, arguments)
    return found


def timed_fit(settings: dict, train: Frames, test: Frames):
    """A fit, and its CPU seconds."""
    start = time.process_time()
    result = fit(settings, train=train, test=test, progress=False)
    return result, time.process_time() - start


def force_errors(model: Model, atoms) -> tuple[np.ndarray, np.ndarray]:
    """Errors of forces and the standard deviations predicted by the committee, (N, 3) each."""
    found = model.evaluate(atoms, uncertainty=("forces",))
    assert found.uncertainty is not None and found.uncertainty.forces_uncertainty is not None
    return found.forces - atoms.get_forces(), found.uncertainty.forces_uncertainty


def ranks_of_atoms(found: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Rank correlation of the lengths of actual and of predicted errors of the forces on atoms,
    those of zero by symmetry left out, and that of Gaussian errors of just these deviations."""
    error, sigma = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    kept = (sigma > LEAST_SPREAD * np.sqrt(np.mean(sigma**2))).all(axis=1)
    error, sigma = error[kept], sigma[kept]
    drawn = np.random.default_rng(0).normal(size=sigma.shape) * sigma
    length = np.linalg.norm(sigma, axis=1)
    names = {"spearman": error, "ideal_spearman": drawn}
    return {name: spearman(np.linalg.norm(e, axis=1), length) for name, e in names.items()}


def learnt_rank(model: Model, test: Frames, errors: list) -> dict[str, float]:
    """Rank correlation with the lengths of actual errors of what knows errors: trees that learnt
    them from two thirds of the held-out frames, by features, forces and predicted errors of the
    atoms, tried on the other third; beside it that of the committee there."""
    features, lengths, deviations, seen, species = [], [], [], [], []
    for k, (atoms, (error, sigma)) in enumerate(zip(test, errors, strict=True)):
        environments = model.environments(atoms)
        length = np.linalg.norm(sigma, axis=1)
        force = np.linalg.norm(error + atoms.get_forces(), axis=1)
        of_term = features_of(model, 0, environments)
        features.append(np.column_stack([of_term, force, length]))
        lengths.append(np.linalg.norm(error, axis=1))
        deviations.append(length)
        seen.append(np.full(len(length), 3 * k < 2 * len(test)))
        species.append(environments.species)
    everything = [np.concatenate(own) for own in (features, lengths, deviations, seen, species)]
    sigma = everything[2]
    kept = sigma > LEAST_SPREAD * np.sqrt(np.mean(sigma**2))
    X, error, sigma, fitted, a = (own[kept] for own in everything)
    predicted = np.zeros(len(error))
    for own in (a == b for b in np.unique(a)):
        components = PCA(60, random_state=0).fit(X[own & fitted, :-2])
        Y = np.column_stack([components.transform(X[own, :-2]), X[own, -2:]])
        trees = HistGradientBoostingRegressor(learning_rate=0.05, max_iter=150, random_state=0)
        trees.fit(Y[fitted[own]], np.log(error[own & fitted]))
        predicted[own] = trees.predict(Y)
    return {
        "learnt": spearman(error[~fitted], predicted[~fitted]),
        "committee": spearman(error[~fitted], sigma[~fitted]),
    }


def measures(model: Model, atoms) -> dict[str, float]:
    """One number of a frame for each measure: the largest of its atoms, of forces by the committee
    and of energies by the rest."""
    own = model.evaluate(atoms, uncertainty=("forces", "variance")).uncertainty
    assert own is not None and own.forces_uncertainty is not None and own.rigidities is not None
    assert own.grades is not None
    return {
        "committee": float(np.linalg.norm(own.forces_uncertainty, axis=1).max()),
        "variance": float(own.grades.max()),
        "rigidity": float((own.rigidities**-0.5).max()),
    }


def areas(measure, test: Frames, far: dict[str, Frames]) -> dict[str, dict[str, float]]:
    """Areas under the ROC curve by measure and kind of frames from outside: the probability that
    one of these is more uncertain than a held-out frame."""
    inside = [measure(atoms) for atoms in test]
    found: dict[str, dict[str, float]] = {}
    for kind, frames in far.items():
        values = [measure(atoms) for atoms in frames]
        for name in inside[0]:
            a, b = ([own[name] for own in of] for of in (values, inside))
            area = mannwhitneyu(a, b).statistic / (len(a) * len(b))
            found.setdefault(name, {})[kind] = float(area)
    return found


def independent(
    settings: dict, train: Frames, test: Frames, far: dict[str, Frames], arguments
) -> dict[str, Any]:
    """The same of a committee of fits that share nothing."""
    rng = np.random.default_rng(arguments.seed)
    members, unseen = [], []
    start = time.process_time()
    for _ in range(arguments.fits):
        order = rng.permutation(len(train))
        half = [train[k] for k in sorted(order[: len(train) // 2])]
        members.append(fit(settings, train=half, progress=False).model)
        unseen.append(set(order[len(train) // 2 :].tolist()))
    seconds = time.process_time() - start

    def forces(atoms, chosen) -> np.ndarray:
        return np.array([members[c].evaluate(atoms, targets=False).forces for c in chosen])

    def predicted(atoms, chosen) -> Predicted:
        """Of forces, whose mean predicts: the correction is that of Imbalzano et al. (2021)."""
        own = forces(atoms, chosen)
        error = (own.mean(axis=0) - atoms.get_forces()).ravel()
        sigma = own.std(axis=0, ddof=1).ravel()
        return Predicted.of_structure(error, sigma, "all", len(chosen))

    seen = []
    for k in rng.permutation(len(train))[: arguments.calibration]:
        chosen = [c for c in range(len(members)) if int(k) in unseen[c]]
        if len(chosen) > 3:
            seen.append(predicted(train[k], chosen))
    scale = scales(Predicted.joined(seen))[0]
    everyone = range(len(members))
    on_test = Predicted.joined([predicted(atoms, everyone) for atoms in test])

    def measure(atoms) -> dict[str, float]:
        spread = forces(atoms, everyone).std(axis=0, ddof=1)
        return {"independent fits": float(np.linalg.norm(spread, axis=1).max())}

    def error(atoms) -> tuple[np.ndarray, np.ndarray]:
        own = forces(atoms, everyone)
        return own.mean(axis=0) - atoms.get_forces(), own.std(axis=0, ddof=1)

    of_atoms = [error(atoms) for atoms in test]
    errors = np.concatenate([own.ravel() for own, _ in of_atoms])
    return {
        "independent": {
            "members": len(members),
            "seconds": seconds,
            "force_rmse": float(np.sqrt(np.mean(errors**2))),
            "quality": vars(quality(on_test, scale)),
            "atoms": ranks_of_atoms(of_atoms),
            "areas": areas(measure, test, far),
        }
    }


def _rmse(model: Model, test: Frames) -> float:
    errors = [(model.evaluate(own).forces - own.get_forces()).ravel() for own in test]
    return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))


def _text(name: str, own: dict[str, Any]) -> str:
    head = ["measure", "of", "count", "scale", "< 1σ %", "< 2σ %", "ECE %", "Spearman", "ideal"]
    rows = [
        _row(measure, kind, one)
        for measure, kinds in own["quality"]["test"].items()
        for kind, one in kinds.items()
    ]
    curves, atoms = dict(own["areas"]), dict(own["atoms"])
    fits = own.get("independent")
    if fits:
        atoms["independent fits"] = fits["atoms"]
        rows.append(_row(f"{fits['members']} independent fits", "force", fits["quality"]))
        curves |= fits["areas"]
    kinds = list(next(iter(curves.values())))
    outer = table(
        ["area under ROC", *kinds],
        [[measure, *(f"{one[kind]:.3f}" for kind in kinds)] for measure, one in curves.items()],
    )
    seconds = own["seconds"]
    times = (
        f"fit {seconds['without']:.0f} CPU s, with [uncertainty] {seconds['with']:.0f}; RMSE of "
        f"forces {own['force_rmse']['full']:.4f} eV/Å"
    )
    if fits:
        times += (
            f"; {fits['members']} independent fits {fits['seconds']:.0f} CPU s, RMSE of their mean "
            f"{fits['force_rmse']:.4f}"
        )
    ranks = table(
        ["forces on atoms, as vectors", "Spearman", "ideal"],
        [[of, *(f"{x:.2f}" for x in one.values())] for of, one in atoms.items()],
    )
    learnt = own["learnt"]
    ranks += (
        f"\non a third of the held-out frames {learnt['committee']:.2f}; trees that learnt errors "
        f"from the other two thirds {learnt['learnt']:.2f}"
    )
    title = f"{name}: {own['n_train']} training, {own['n_test']} held-out frames"
    parts = [f"{title}, {own['n_sparse']} sparse points", table(head, rows), ranks, outer, times]
    return "\n".join(parts)


def _row(measure: str, kind: str, one: dict[str, float]) -> list[Any]:
    inside = (100 * one[key] for key in ("inside_1", "inside_2", "calibration_error"))
    row = [measure, kind, one["count"], one["scale"], *(f"{x:.1f}" for x in inside)]
    return [*row, f"{one['spearman']:.2f}", f"{one['ideal_spearman']:.2f}"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--fits", type=int, default=8, help="independent ones (0: none)")
    parser.add_argument("--calibration", type=int, default=60, help="frames for their scale")
    parser.add_argument("--seed", type=int, default=0, help="of the division and the dynamics")
    parser.add_argument("--data", type=Path, default=DATA)
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
