# SPDX-License-Identifier: BSD-3-Clause
"""Test errors against the number of features: fewer radial functions, contraction by covariance and
optimised, smoothness.

Silicon (every third frame of Zuo's training set, all of its test set) and MoNbTaW (unrelaxed solid
solutions of two of the four elements), energies and forces, the package's defaults apart from what
is compared. Every way is a series of fits to the same frames with the same number of sparse points.
Then the time of contracted models, whose tables all neighbours feed, against the number of species.

  python benchmarks/papers/contraction.py --plot docs/images/contraction.png
  python benchmarks/papers/contraction.py --sets Si --json si.json
  python benchmarks/papers/contraction.py --ways "pca, optimised" --seconds 0 --json optimised.json
  python benchmarks/papers/contraction.py --sets --join si.json others.json --plot contraction.png
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import (
    COSINE,
    add_output_option,
    alternate,
    describe,
    emit,
    machine,
    pin_to_one_core,
    ratios,
    summary,
    table,
)

pin_to_one_core()

import argparse  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import time  # noqa: E402

import ase.io  # noqa: E402
import matplotlib  # noqa: E402
import numpy as np  # noqa: E402
from ase.build import bulk  # noqa: E402

from potential import _core  # noqa: E402
from potential.basis import tabulate  # noqa: E402
from potential.basis.contraction import contracted  # noqa: E402
from potential.model import Model  # noqa: E402
from potential.scores.metrics import ALL  # noqa: E402
from potential.settings import SoapTermSettings  # noqa: E402
from potential.terms.soap import SoapTerm  # noqa: E402
from potential.terms.training_model import build_model  # noqa: E402
from potential.training.fitting import fit  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

DATA = Path(__file__).resolve().parents[3] / "shared/data"
FULL = {"Si": 12, "MoNbTaW": 8}  # n_max
N_SPARSE = {"Si": 400, "MoNbTaW": 200}  # per species
SOLUTIONS = 200  # frames of MoNbTaW, and half as many for tests
COUNTS = {"Si": (2, 3, 4, 5, 6, 8), "MoNbTaW": (4, 6, 8, 10, 12, 16)}
OPTIMISED = {"Si": (3, 4, 6), "MoNbTaW": (4, 6, 10)}  # channels of these contractions
STIFF = 1000
N_SPECIES = (1, 2, 4, 8, 16, 25)  # of the times
CHANNELS = 10
MARKERS = "os^dvPX"


def ways(name: str) -> dict[str, list[dict]]:
    """Settings of a soap term, by way, from few features to many."""
    n_max, counts = FULL[name], COUNTS[name]
    limits = (2.5, 4.0, 6.0, 9.0, 12.0, 16.0) if name == "Si" else (1.6, 2.5, 4.0)
    smooth = [{"basis": "laplacian", "max_eigenvalue": limit} for limit in limits]
    return {
        "gto": [{"n_max": n} for n in (1, 2, 3, 4, 6, 8, 12) if n <= n_max],
        "pca": [{"n_max": n_max, "contraction": {"n_channels": n}} for n in counts],
        **{
            f"pca, optimised{words}": [
                {"n_max": n_max, "contraction": {"n_channels": n, "optimise": how}}
                for n in OPTIMISED[name]
            ]
            for words, how in {"": {}, f", penalty {STIFF}": {"penalty": STIFF}}.items()
        },
        "pca by variance": [
            {"n_max": n_max, "contraction": {"retained_variance": part}}
            for part in (0.99, 0.999, 0.9999)[name != "Si" :]
        ],
        "laplacian": smooth,
        "laplacian, then pca": [
            own | {"contraction": {"n_channels": counts[2]}} for own in smooth[2:5:2]
        ],
    }


def frames_of(name: str, folder: Path) -> tuple[list[ase.Atoms], list[ase.Atoms]]:
    """Training and test frames."""
    if name == "Si":
        train, test = (ase.io.read(folder / f"mlearn_Si/{p}.xyz", ":") for p in ("train", "test"))
        return train[::3], test
    frames = ase.io.read(folder / "MoNbTaW/train.xyz", ":")
    mixed = [atoms for atoms in frames if atoms.info.get("tags") == "unrelax"]
    order = np.random.default_rng(0).permutation(len(mixed))[: SOLUTIONS * 3 // 2]
    chosen = [mixed[k] for k in order]
    return chosen[:SOLUTIONS], chosen[SOLUTIONS:]


def measured(name: str, term: dict, train: list[ase.Atoms], test: list[ase.Atoms]) -> dict:
    """Features, test errors and time of one fit."""
    start = time.process_time()
    noise = {"virial_per_atom": math.inf}
    settings = {"terms": [term | {"n_sparse": N_SPARSE[name]}], "noise": noise}
    fitted = fit(settings, train=train, test=test, progress=False)
    errors, channels = fitted.test_errors[ALL], fitted.model.terms[0]["n_channels"]
    return {
        "term": term,
        "channels": channels,
        "features": fitted.model.core.n_features(0),
        "energy_mae": 1e3 * errors["energy"].mae,
        "energy_rmse": 1e3 * errors["energy"].rmse,
        "force_mae": errors["force"].mae,
        "force_rmse": errors["force"].rmse,
        "fit_seconds": time.process_time() - start,
    }


def run(name: str, chosen: list[str], folder: Path) -> dict[str, list[dict]]:
    train, test = frames_of(name, folder)
    found: dict[str, list[dict]] = {}
    for way, terms in ways(name).items():
        for term in terms if way in chosen or not chosen else ():
            found.setdefault(way, []).append(measured(name, term, train, test))
            print(name, way, *row(found[way][-1]), sep="\t", flush=True, file=sys.stderr)
    return found


def row(own: dict) -> list:
    channels = own["channels"]
    few = f"{max(channels)}" if len(set(channels)) == 1 else f"{max(channels)}–{min(channels)}"
    numbers = ("features", "energy_mae", "energy_rmse", "force_mae", "force_rmse", "fit_seconds")
    return [f"{few}, l ≤ {len(channels) - 1}", *(own[key] for key in numbers)]


def model_of(n_species: int, n_channels: int | None) -> Model:
    """The default term, contracted at random, with 200 random sparse points per species."""
    species, rng = list(range(21, 21 + n_species)), np.random.default_rng(0)
    draft, _ = SoapTerm.draft(SoapTermSettings(cutoff=5.0, **COSINE), species, [])
    if n_channels is not None:
        sizes = draft["n_channels"]
        square = [np.linalg.qr(rng.normal(size=(size, size)))[0] for size in sizes]
        draft |= contracted(
            tabulate(SoapTermSettings(cutoff=5.0, **COSINE), species),
            [V[:n_channels] for V in square],
        )
    n_features = sum(n * (n + 1) // 2 for n in draft["n_channels"])
    points = rng.random((200, n_features))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    sparse = dict.fromkeys(range(n_species), points)
    weights = {a: rng.normal(size=200) for a in range(n_species)}
    full = draft | {"sparse_points": sparse, "weights": weights}
    return build_model(species, np.zeros(n_species), [full])


def times(seconds: float) -> list[dict]:
    """CPU time per atom of forces in a bcc crystal, cases in turn; few channels, and all."""
    few = {n: min(CHANNELS, 8 * n) for n in N_SPECIES}
    cases = {f"{n} species, {k} channels": (n, k) for n, k in few.items()}
    cases |= {f"{n} species, all {8 * n} channels": (n, None) for n in N_SPECIES if n <= 4}
    calls = {}
    for label, (n, channels) in cases.items():
        model = model_of(n, channels)
        atoms = bulk("W", cubic=True).repeat(4)
        atoms.numbers = np.random.default_rng(1).choice(model.species, len(atoms))
        environments, evaluator = model.environments(atoms), _core.Evaluator(model.core, 1)
        calls[label] = lambda e=evaluator, on=environments: e.evaluate(on, True)
    taken = alternate(calls, seconds)
    first = taken[next(iter(cases))]
    return [
        {
            "case": label,
            "us_per_atom": summary(own, 1e6 / len(atoms))["median"],
            "ratio": ratios(own, first)["median"],
        }
        for label, own in taken.items()
    ]


def plot(results: dict[str, dict[str, list[dict]]], path: str) -> None:
    """Errors against features: energies above forces, a column for each set."""
    figure, axes = plt.subplots(
        2, len(results), figsize=(3.8 * len(results), 5.4), sharex="col", squeeze=False
    )
    keys = {"energy_mae": "energy MAE, meV/atom", "force_mae": "force MAE, eV/Å"}
    for column, (name, of_ways) in enumerate(results.items()):
        for ax, (key, label) in zip(axes[:, column], keys.items(), strict=True):
            for (way, own), marker in zip(of_ways.items(), MARKERS, strict=True):
                x = [one["features"] for one in own]
                ax.loglog(x, [one[key] for one in own], f"{marker}-", ms=4, lw=1, label=way)
            ax.set_ylabel(label)
        axes[0, column].set_title(name)
        axes[1, column].set_xlabel("features")
    axes[0, 0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main() -> None:
    arguments = _arguments()
    results, cost = dict[str, dict[str, list[dict]]](), list[dict]()
    for path in arguments.join:
        joined = json.loads(path.read_text())
        for name, own in joined["sets"].items():
            results[name] = results.get(name, {}) | own
        cost += joined["times"]
    for name in arguments.sets:
        results[name] = results.get(name, {}) | run(name, arguments.ways, arguments.data)
    cost += times(arguments.seconds) if arguments.seconds else []
    head = ["", "channels", "features", "E MAE meV/atom", "E RMSE", "F MAE eV/Å", "F RMSE", "CPU s"]
    rows = [
        [f"{name} {way}", *row(own)]
        for name, of_ways in results.items()
        for way, series in of_ways.items()
        for own in series
    ]
    head_of_times = ["evaluation with forces", "CPU µs/atom", "to the first"]
    information = machine()
    text = [describe(information), table(head, rows)]
    text.append(table(head_of_times, [list(own.values()) for own in cost]))
    result = {"benchmark": "papers/contraction", "machine": information}
    emit("\n\n".join(text), result | {"sets": results, "times": cost}, arguments.json)
    if arguments.plot:
        plot(results, arguments.plot)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="*", choices=list(FULL), default=list(FULL))
    parser.add_argument("--ways", nargs="+", default=[], help="some series alone, by their names")
    parser.add_argument("--seconds", type=float, default=20.0, help="of timing; 0 for none")
    parser.add_argument("--join", nargs="+", type=Path, default=[], help="JSON of earlier runs")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--plot", metavar="FILE", help="write the figure")
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
