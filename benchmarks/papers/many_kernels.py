# SPDX-License-Identifier: BSD-3-Clause
"""Several kernels against one, at equal numbers of weights, with the δ as they stand and tuned from
one set of rows; and what each term of the sums contributes.

Water (64 H2O, PBE0+TS): a train.xyz with energies and forces of which frames are drawn at random.

  python benchmarks/papers/many_kernels.py /data/water_PBE0TS/train.xyz --plot many_kernels.png
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import ase.io
import numpy as np
from common import COSINE

from potential import fit, tune
from potential.reports.plots import COLORS, INK, figure
from potential.runtime.text_table import text_table
from potential.scores import metrics
from potential.scores.shares import term_shares, term_values

PER_SPECIES = 120  # sparse points of each of the two species: 240 weights in every model of SOAP
CUTOFFS = (3.0, 4.5, 6.0)
SPLIT = (36, 36, 36)  # of the sums: 216 weights, and 24 of the pair term
PAIR = {"kind": "pair", "cutoff": 6.0, "cutoff_function": "cosine"}


def soap(cutoff: float, n_sparse: int) -> dict:
    return COSINE | {"cutoff": cutoff, "n_max": 6, "l_max": 4, "zeta": 2, "n_sparse": n_sparse}


MODELS = {f"SOAP {cutoff:g} Å": [soap(cutoff, PER_SPECIES)] for cutoff in CUTOFFS}
MODELS["pair 6 Å"] = [PAIR]
FACTORS = (CUTOFFS[0], CUTOFFS[2])
MODELS["product 3 × 6 Å"] = [
    {
        "kind": "product",
        "n_sparse": PER_SPECIES,
        "factors": [
            COSINE | {"cutoff": cutoff, "n_max": 6, "l_max": 4, "zeta": 1} for cutoff in FACTORS
        ],
    }
]
MODELS["sum"] = [*map(soap, CUTOFFS, SPLIT), PAIR | {"n_sparse": 8}]
TUNED = ("marginal_likelihood", "cross_validation")
SHORT = {"fixed": "δ as it stands", TUNED[0]: "δ: likelihood", TUNED[1]: "δ: cross-validation"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="train.xyz")
    parser.add_argument("--train", type=int, default=30)
    parser.add_argument("--test", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--plot", metavar="FILE")
    arguments = parser.parse_args()
    frames = ase.io.read(arguments.data, ":")
    order = np.random.default_rng(arguments.seed).permutation(len(frames))
    n = arguments.train
    with tempfile.TemporaryDirectory() as folder:
        names = [str(Path(folder) / name) for name in ("train.xyz", "test.xyz")]
        for name, chosen in zip(names, (order[:n], order[n : n + arguments.test]), strict=True):
            ase.io.write(name, [frames[k] for k in chosen])
        results = [
            measured(name, terms, names, delta)
            for name, terms in MODELS.items()
            for delta in (("fixed", *TUNED) if name == "sum" else ("fixed", TUNED[0]))
        ]
    print(table(results))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=1) + "\n")
    if arguments.plot:
        plot(results, arguments.plot)


def measured(name: str, terms: list[dict], files: list[str], delta: str) -> dict:
    """Errors on the test frames, shares of the terms, seconds of the search."""
    start = time.perf_counter()
    values = {"data": {"train": files[:1]}, "terms": terms}
    if delta != "fixed":
        found = tune(values | {"tune": {"delta": delta, "objective": "combined"}})
        values["terms"] = [
            term | {"delta": found.trials[1].delta[f"terms.{t}.delta"]}
            for t, term in enumerate(terms)
        ]
    seconds = time.perf_counter() - start
    values["data"]["test"] = files[1:]
    result = fit(values, progress=False)
    errors = result.test_errors[metrics.ALL]
    shares = term_shares(term_values(result.model, result.test))
    print(f"{name}, {delta}: {seconds:.0f} s", file=sys.stderr)
    return {
        "model": name,
        "delta": delta,
        "deltas": [term.get("delta") for term in values["terms"]],
        "weights": result.model.n_weights,
        "energy_rmse": 1e3 * errors["energy"].rmse,
        "force_rmse": 1e3 * errors["force"].rmse,
        "search_seconds": seconds if delta != "fixed" else 0.0,
        "energy_shares": [own.energy for own in shares],
        "force_shares": [own.force for own in shares],
    }


def table(results: list[dict]) -> str:
    head = ("model", "delta", "weights", "meV/atom", "meV/Å", "deltas", "force shares, %", "s")
    rows = [
        (
            own["model"],
            own["delta"],
            str(own["weights"]),
            f"{own['energy_rmse']:.3f}",
            f"{own['force_rmse']:.1f}",
            " ".join("-" if x is None else f"{x:.3g}" for x in own["deltas"]),
            " ".join(f"{100 * x:.1f}" for x in own["force_shares"]),
            f"{own['search_seconds']:.0f}",
        )
        for own in results
    ]
    return text_table(head, rows, left=(0, 1))


def plot(results: list[dict], path: str) -> None:
    """Force errors of all models; below, shares of the terms of the sums."""
    fig, _ = figure(9.0, 4.8)
    fig.clear()
    left, right = fig.subplots(1, 2, width_ratios=(1.2, 1))
    labels = [f"{own['model']}, {SHORT[own['delta']]}" for own in results]
    color = [COLORS[own["delta"] != "fixed"] for own in results]
    left.barh(range(len(results)), [own["force_rmse"] for own in results], color=color)
    left.set_yticks(range(len(results)), labels, fontsize=7)
    left.invert_yaxis()
    left.set_xlabel("force RMSE, meV/Å", color=INK)
    sums = [own for own in results if own["model"] == "sum"]
    names = [f"{own.get('kind', 'SOAP')} {own['cutoff']:g} Å" for own in MODELS["sum"]]
    for t, name in enumerate(names):
        values = [100 * own[key][t] for own in sums for key in ("energy_shares", "force_shares")]
        right.bar(
            np.arange(len(values)) + 0.2 * (t - 1.5), values, 0.2, color=COLORS[t], label=name
        )
    ticks = [f"{what}\n{SHORT[own['delta']]}" for own in sums for what in ("energies", "forces")]
    right.set_xticks(range(len(ticks)), ticks, fontsize=6, rotation=60)
    right.axhline(0, color=INK, linewidth=0.6)
    right.set_ylabel("share, %", color=INK)
    right.legend(fontsize=7, frameon=False, loc="lower right")
    fig.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
