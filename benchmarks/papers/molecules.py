# SPDX-License-Identifier: BSD-3-Clause
"""What figures 3 and 4 share: molecules, settings, learning curves of several representations.

Learning curves are those of the product: sparse points and rows once for each representation, then
fits to nested subsets with e0 of their own. Parameters are chosen on validation molecules, which
are neither trained on nor in the test set.
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
from common import COSINE

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
UNITS = {"QM7": "kcal/mol", "small_molecules_1000": "eV"}
UNITS_SHOWN = {"kcal/mol": ("total_energy", None), "meV/atom": ("energy", 1e3)}
KEYS = {"QM7": "energy_pbe0_kcal", "small_molecules_1000": "energy"}
POOL = {"QM7": 5000, "small_molecules_1000": 785}  # molecules that subsets are taken from
VALIDATE = 1000  # of them, when parameters are chosen
TEST = 1000  # molecules at most, and as many for validation
SIZES = {"QM7": (100, 250, 500, 1000, 2000, 4000), "small_molecules_1000": (100, 250, 500, 785)}
N_SPARSE = {"H": 400, "C": 700, "N": 200, "O": 200, "S": 50}

Term = Mapping[str, Any]
Results = dict[str, dict[str, Any]]  # {representation: what learning_curve says}


def term(cutoff: float, scaling: tuple[float, float] | None = None, **changes: Any) -> Term:
    """A SOAP term; scaling: (scale in Å, exponent) at rate 1, or none."""
    own: dict[str, Any] = {
        "kind": "soap",
        "cutoff": cutoff,
        "n_max": 6,
        "l_max": 4,
        "zeta": 2,
    } | COSINE
    own |= COSINE | {"atom_sigma": 0.3, "sparse_method": "random", "n_sparse": N_SPARSE}
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
    return {name: kept[name] for name in representations if name in kept}


def write(results: Results, arguments: argparse.Namespace) -> None:
    """The JSON so far."""
    from common import machine

    if arguments.json:
        content = {"set": arguments.set, "machine": machine(["ase"]), "curves": results}
        Path(arguments.json).write_text(json.dumps(content, indent=1) + "\n")


def table_of(results: Results) -> str:
    """MAE against the number of molecules: in kcal/mol, then in meV/atom."""
    from common import table

    sizes = next(iter(results.values()))["sizes"]
    tables = []
    for unit in UNITS_SHOWN:
        rows = [
            [name, *map(_with_error, *_errors(curve, unit)), f"{curve['seconds']:.0f}"]
            for name, curve in results.items()
        ]
        tables.append(table([f"MAE, {unit}", *map(str, sizes), "s"], rows))
    return "\n\n".join(tables)


def _errors(curve: Mapping[str, Any], unit: str) -> tuple[list[float], list[float]]:
    """Mean absolute errors and their standard errors over the series of subsets."""
    from potential.structures.energy_units import EV_PER

    label, factor = UNITS_SHOWN[unit]
    scale = factor or 1.0 / EV_PER[unit]
    own = curve["errors"][label]["mae"]
    return [scale * x for x in own["mean"]], [scale * x for x in own["standard_error"]]


def _with_error(mean: float, error: float) -> str:
    return f"{mean:.2f} ± {error:.2f}" if error else f"{mean:.2f}"


def plot(results: Results, path: str, title: str, shown: Mapping[str, Mapping[str, Any]]) -> None:
    """Learning curves on log-log axes in both units; shown: how each line is drawn."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, NullLocator

    figure = Figure(figsize=(9.0, 4.4), layout="constrained")
    figure.suptitle(title)
    sizes = next(iter(results.values()))["sizes"]
    for axes, unit in zip(figure.subplots(1, 2), UNITS_SHOWN, strict=True):
        for name, curve in results.items():
            style = {"marker": "o", "ms": 3, "capsize": 2} | shown.get(name, {})
            axes.errorbar(curve["sizes"], *_errors(curve, unit), label=name, **style)
        axes.set(xscale="log", yscale="log", xlabel="training molecules", ylabel=f"MAE, {unit}")
        axes.set_xticks(sizes, [str(n) for n in sizes])
        axes.xaxis.set_minor_locator(NullLocator())
        low, high = axes.get_ylim()
        ticks = [n for n in (0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30) if low < n < high]
        axes.set_yticks(ticks, [f"{n:g}" for n in ticks])
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_minor_locator(NullLocator())
    axes.legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=80)


def options(description: str | None) -> argparse.ArgumentParser:
    """The command line of both figures."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=tuple(KEYS), default="QM7", help="default QM7")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the reference data")
    parser.add_argument("--quick", action="store_true", help="500 molecules, a smaller basis")
    parser.add_argument(
        "--validate",
        action="store_true",
        help=f"choose parameters: {VALIDATE} molecules, errors of validation molecules",
    )
    parser.add_argument("--repeats", type=int, default=4, help="series of subsets")
    parser.add_argument("--noise", type=float, default=1e-4, help="energy_per_atom, eV")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these representations")
    parser.add_argument("--json", metavar="FILE", help="write results; those there are kept")
    parser.add_argument("--plot", metavar="FILE", help="write the figure")
    return parser


def _split(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """[data]: training and test (or validation) molecules, always the same random choice."""
    import ase.io
    import numpy as np

    files = sorted((arguments.data / arguments.set).glob("*.xyz"))
    if not files:
        raise SystemExit(f"{arguments.data / arguments.set} was not found: see --data")
    frames = [atoms for file in files for atoms in ase.io.read(file, ":")]
    order = np.random.default_rng(0).permutation(len(frames))
    pool, n_test = POOL[arguments.set], 200 if arguments.quick else TEST
    others = order[pool + TEST :] if arguments.validate else order[pool:]
    if len(others) == 0:
        raise SystemExit(f"--validate: {arguments.set} has no molecules to spare")
    for name, chosen in (("train", order[: _pool(arguments)]), ("test", others[:n_test])):
        ase.io.write(folder / f"{name}.xyz", [frames[k] for k in chosen], format="extxyz")
    return {
        "train": [str(folder / "train.xyz")],
        "test": [str(folder / "test.xyz")],
        "energy_key": KEYS[arguments.set],
        "energy_unit": UNITS[arguments.set],
    }


def _pool(arguments: argparse.Namespace) -> int:
    """How many molecules subsets are taken from."""
    if arguments.quick:
        return 500
    return VALIDATE if arguments.validate else POOL[arguments.set]


def _curve(
    name: str, terms: list[Term], data: dict[str, Any], arguments: argparse.Namespace
) -> dict[str, Any]:
    from potential.runtime.progress import bar
    from potential.validation.learning_curve import learning_curve

    small = {"n_max": 4, "l_max": 3, "n_sparse": 100} if arguments.quick else {}
    settings = {
        "data": data,
        "terms": [dict(own) | small for own in terms],
        "noise": {"energy_per_atom": arguments.noise},
    }
    sizes = [n for n in SIZES[arguments.set] if n <= _pool(arguments)]
    start = time.process_time()
    curve = learning_curve(settings, sizes, arguments.repeats, progress=bar)
    seconds = time.process_time() - start
    print(f"{name}: {seconds:.0f} s", file=sys.stderr)
    return curve.to_dict() | {"seconds": seconds}
