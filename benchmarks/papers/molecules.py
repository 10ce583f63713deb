# SPDX-License-Identifier: BSD-3-Clause
"""What figures 3 and 4 share: molecules, settings, learning curves of several representations.

Learning curves are those of the product: sparse points and rows once for each representation, then
fits to nested subsets with e0 of their own.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # common

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
UNITS = {"QM7": "kcal/mol", "small_molecules_1000": "eV"}
KEYS = {"QM7": "energy_pbe0_kcal", "small_molecules_1000": "energy"}
TRAIN = {"QM7": 4000, "small_molecules_1000": 785}
SIZES = (100, 250, 500, 1000, 2000, 4000)
N_SPARSE = {"H": 400, "C": 700, "N": 200, "O": 200, "S": 50}

Term = Mapping[str, Any]
Results = dict[str, dict[str, Any]]  # {representation: what learning_curve says}


def term(cutoff: float, scaling: tuple[float, float] | None = None, **changes: Any) -> Term:
    """A SOAP term; scaling: (scale in Å, exponent) at rate 1, or none."""
    own: dict[str, Any] = {"kind": "soap", "cutoff": cutoff, "n_max": 6, "l_max": 4, "zeta": 2}
    own |= {"atom_sigma": 0.3, "sparse_method": "random", "n_sparse": N_SPARSE}
    scale, exponent = scaling or (1.0, 0.0)
    own["radial_scaling"] = {"scale": scale, "exponent": exponent, "rate": 1.0}
    return own | changes


def curves(representations: Mapping[str, list[Term]], arguments: argparse.Namespace) -> Results:
    """Learning curves of lists of terms; those in the file of --json are not made again."""
    kept: Results = {}
    if arguments.json and Path(arguments.json).exists():
        kept = json.loads(Path(arguments.json).read_text())["curves"]
    with tempfile.TemporaryDirectory() as folder:
        data = _split(arguments, Path(folder))
        for name, terms in representations.items():
            if name in kept or name not in (arguments.only or representations):
                continue
            kept[name] = _curve(name, terms, data, arguments)
            write(kept, arguments)
    return kept


def write(results: Results, arguments: argparse.Namespace) -> None:
    """The JSON so far."""
    from common import machine

    if arguments.json:
        content = {"set": arguments.set, "machine": machine(["ase"]), "curves": results}
        Path(arguments.json).write_text(json.dumps(content, indent=1) + "\n")


def table_of(results: Results) -> str:
    """MAE in kcal/mol against the number of molecules, and in meV/atom for all of them."""
    from common import table

    from potential.structures.energy_units import EV_PER

    sizes = next(iter(results.values()))["sizes"]
    rows = []
    for name, curve in results.items():
        mae = [x / EV_PER["kcal/mol"] for x in curve["errors"]["total_energy"]["mae"]["mean"]]
        last = 1e3 * curve["errors"]["energy"]["mae"]["mean"][-1]
        rows.append([name, *(f"{x:.2f}" for x in mae), f"{last:.2f}", f"{curve['seconds']:.0f}"])
    return table(["MAE, kcal/mol", *map(str, sizes), "meV/atom", "s"], rows)


def plot(results: Results, path: str, title: str, shown: Mapping[str, Mapping[str, Any]]) -> None:
    """Learning curves on log-log axes; shown: how each line is drawn."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, NullLocator

    from potential.structures.energy_units import EV_PER

    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, curve in results.items():
        mae = [x / EV_PER["kcal/mol"] for x in curve["errors"]["total_energy"]["mae"]["mean"]]
        axes.plot(curve["sizes"], mae, label=name, marker="o", ms=3, **shown.get(name, {}))
    axes.set(xscale="log", yscale="log", xlabel="training molecules", title=title)
    axes.set_ylabel("MAE, kcal/mol")
    sizes = next(iter(results.values()))["sizes"]
    axes.set_xticks(sizes, [str(n) for n in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    ticks = [n for n in (0.3, 0.5, 1, 2, 3, 5, 10, 20) if axes.get_ylim()[0] < n]
    axes.set_yticks(ticks, [f"{n:g}" for n in ticks])
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=110)


def options(description: str | None) -> argparse.ArgumentParser:
    """The command line of both figures."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=tuple(KEYS), default="QM7", help="default QM7")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the reference data")
    parser.add_argument("--quick", action="store_true", help="500 molecules, a smaller basis")
    parser.add_argument("--noise", type=float, default=1e-4, help="energy_per_atom, eV")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these representations")
    parser.add_argument("--json", metavar="FILE", help="write results; those there are kept")
    parser.add_argument("--plot", metavar="FILE", help="write the figure")
    return parser


def _split(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """[data]: training and test molecules, a random choice that is always the same."""
    import ase.io
    import numpy as np

    files = sorted((arguments.data / arguments.set).glob("*.xyz"))
    if not files:
        raise SystemExit(f"{arguments.data / arguments.set} was not found: see --data")
    frames = [atoms for file in files for atoms in ase.io.read(file, ":")]
    order = np.random.default_rng(0).permutation(len(frames))
    n = 500 if arguments.quick else TRAIN[arguments.set]
    for name, chosen in (
        ("train", order[:n]),
        ("test", order[n:][: 200 if arguments.quick else 1000]),
    ):
        ase.io.write(folder / f"{name}.xyz", [frames[k] for k in chosen], format="extxyz")
    return {
        "train": [str(folder / "train.xyz")],
        "test": [str(folder / "test.xyz")],
        "energy_key": KEYS[arguments.set],
        "energy_unit": UNITS[arguments.set],
    }


def _curve(
    name: str, terms: list[Term], data: dict[str, Any], arguments: argparse.Namespace
) -> dict[str, Any]:
    from potential.runtime.progress import bar
    from potential.validation.learning_curve import learning_curve

    small = {"n_max": 4, "l_max": 3, "n_sparse": 100} if arguments.quick else {}
    n = 500 if arguments.quick else TRAIN[arguments.set]
    settings = {
        "data": data,
        "terms": [dict(own) | small for own in terms],
        "noise": {"energy_per_atom": arguments.noise},
    }
    start = time.process_time()
    curve = learning_curve(settings, [k for k in SIZES if k < n] + [n], 1, progress=bar)
    seconds = time.process_time() - start
    print(f"{name}: {seconds:.0f} s", file=sys.stderr)
    return curve.to_dict() | {"seconds": seconds}
