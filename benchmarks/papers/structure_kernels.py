# SPDX-License-Identifier: BSD-3-Clause
"""Kernels between structures on molecules: kernel ridge regression on one extensive property, the
energy of atomisation, and one intensive property, the gap between frontier orbitals.

Gaps are those of GFN2-xTB, computed here with tblite (pip install tblite); energies are those of
the data. Each kernel is made once for all molecules; learning curves are means over random choices
of the training molecules, with the same test molecules for all.

  python benchmarks/papers/structure_kernels.py --plot docs/images/structure_kernels.png
  python benchmarks/papers/structure_kernels.py --sets QM7
  python benchmarks/papers/structure_kernels.py --quick
  python benchmarks/papers/structure_kernels.py --sets QM7 --fit

--fit compares kernels of [[targets]] in fit.toml with these and scikit-learn, at the same noise.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import COSINE, cpu_seconds, machine, pin_to_one_core, table

pin_to_one_core()

import ase.io  # noqa: E402
import numpy as np  # noqa: E402
from ase.data import chemical_symbols  # noqa: E402
from ase.units import Bohr, Hartree, kcal, mol  # noqa: E402
from sklearn.kernel_ridge import KernelRidge  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402

from potential import SoapDescriptor, averaged_density, fit, structure_kernel  # noqa: E402

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ENERGIES = {"QM7": ("energy_pbe0_kcal", kcal / mol), "small_molecules_1000": ("energy", 1.0)}
SOAP = {"cutoff": 4.0, "n_max": 6, "l_max": 4, "atom_sigma": 0.3, **COSINE}
SCALING = {"scale": 1.5, "exponent": 7.0, "rate": 1.0}
SIZES, N_TEST, REPEATS = (25, 50, 100, 200, 300), 100, 4
ZETA = 2
KERNELS: dict[str, dict[str, Any]] = {
    "sum": {"pooling": "sum"},
    "average": {"pooling": "mean", "normalize": True},
    "averaged features": {"pooling": "features", "normalize": True},
    "averaged density": {"pooling": "density"},
    "REMatch, γ = 1": {"pooling": "rematch", "gamma": 1.0, "normalize": True},
    "REMatch, γ = 0.1": {"pooling": "rematch", "gamma": 0.1, "normalize": True},
}
PROPERTIES = {"atomisation energy": "kcal/mol", "gap": "eV"}
ALPHAS = np.geomspace(1e-9, 1e-1, 5)


def main() -> None:
    arguments = options().parse_args()
    kept: dict[str, Any] = {}
    if arguments.json and Path(arguments.json).exists():
        kept = json.loads(Path(arguments.json).read_text())["sets"]
    for name in arguments.sets:
        results = kept.setdefault(name, {})
        frames = molecules(name, arguments)
        if arguments.fit:
            print(f"{name}\n\n{both_ways(name, frames, arguments)}\n")
            continue
        if set(KERNELS) - set(results):
            learn(name, frames, results, lambda: write(kept, arguments), arguments)
        print(f"{name}\n\n{table_of(results)}\n")
    if arguments.plot and not arguments.fit:
        plot({name: kept[name] for name in arguments.sets}, arguments.plot)


def learn(name: str, frames, results: dict[str, Any], keep, arguments) -> None:
    """The curves of all kernels on one set of molecules."""
    targets = {"atomisation energy": energies_of(name, frames), "gap": gaps(frames)}
    soap = SoapDescriptor(**SOAP, radial_scaling=SCALING).fit(frames)
    counts, features = composition(frames), soap.compute(frames)
    for kernel, how in KERNELS.items():
        if kernel in results:
            continue
        K, seconds = made(soap, frames, features, how)
        curves = {
            what: curve(K, y, counts, what == "gap", how["pooling"] == "sum", arguments)
            for what, y in targets.items()
        }
        results[kernel] = {"seconds": seconds, "curves": curves}
        keep()
        print(f"{name}, {kernel}: {seconds:.0f} s", file=sys.stderr, flush=True)


def energies_of(name: str, frames) -> np.ndarray:
    """kcal/mol."""
    key, unit = ENERGIES[name]
    # ASE moves "energy" to where calculators have it
    found = [
        atoms.info[key] if key in atoms.info else atoms.get_potential_energy() for atoms in frames
    ]
    return np.array(found) * unit / (kcal / mol)


def both_ways(name: str, frames, arguments: argparse.Namespace) -> str:
    """Mean absolute errors of kernel ridge regression with the kernels of Python, and of fits of
    [[targets]] with the same kernels, baseline and noise, on all and on a third of the structures.
    """
    labels = {"atomisation energy": energies_of(name, frames), "gap": gaps(frames)}
    soap = SoapDescriptor(**SOAP, radial_scaling=SCALING).fit(frames)
    counts, features = composition(frames), soap.compute(frames)
    order = np.random.default_rng(0).permutation(len(frames))
    test, train = np.split(order, [arguments.n_test])
    rows = []
    for what, kernel in (("atomisation energy", "sum"), ("gap", "REMatch, γ = 1")):
        y, how, intensive = labels[what], KERNELS[kernel], what == "gap"
        K = structure_kernel(features, zeta=ZETA, **how)
        X = counts / counts.sum(axis=1, keepdims=True) if intensive else counts
        mean = np.linalg.lstsq(X[train], y[train], rcond=None)[0]
        scale, left = np.diag(K)[train].mean(), y - X @ mean
        search = GridSearchCV(
            KernelRidge(kernel="precomputed"), {"alpha": ALPHAS}, cv=3, scoring=SCORE
        )
        search.fit(K[np.ix_(train, train)] / scale, left[train])
        python = search.predict(K[np.ix_(test, train)] / scale)
        size = np.ones(len(y)) if intensive else counts.sum(axis=1)
        own = (K / np.outer(size, size))[np.ix_(train, train)]  # eq. (23l)
        spread = np.mean(np.diag(own)) - np.mean(own)
        target = {
            "name": "label",
            "key": "label",
            "per_atom": False,
            "extensive": not intensive,
            "mean": dict(zip(symbols(frames), mean.tolist(), strict=True)),
            "scale": 1.0,
            "noise": float(np.sqrt(search.best_params_["alpha"] * scale / spread)),
            "kernel": {"zeta": ZETA, **how},
        }
        for atoms, value in zip(frames, y, strict=True):
            atoms.info["label"] = float(value)
        errors = [np.abs(python - left[test]).mean()]
        for n in (len(train), len(train) // 3):
            target["kernel"]["n_structures"] = n
            settings = {"terms": [{**SOAP, "radial_scaling": SCALING}], "targets": [target]}
            chosen = ([atoms_of(frames[k]) for k in own] for own in (train, test))
            found = fit(settings, train=next(chosen), test=next(chosen), progress=False)
            errors.append(found.test_property_errors["label"]["all"].mae)
        rows.append([f"{what}, {PROPERTIES[what]}", kernel, *(f"{e:.6g}" for e in errors)])
    n = len(train)
    head = ["", "kernel", "Python", f"fit, {n} sparse structures", f"fit, {n // 3}"]
    return table(head, rows)


def symbols(frames) -> list[str]:
    """In the order of ``composition``."""
    return [
        chemical_symbols[z] for z in sorted({int(z) for atoms in frames for z in atoms.numbers})
    ]


def atoms_of(atoms: ase.Atoms) -> ase.Atoms:
    """With the one label alone, so that no potential is fitted."""
    alone = ase.Atoms(atoms.numbers, atoms.positions)
    alone.info["label"] = atoms.info["label"]
    return alone


def made(soap, frames, features, how: Mapping[str, Any]) -> tuple[np.ndarray, float]:
    """The kernel between all molecules, and the CPU time of it."""
    found = []

    def make() -> None:
        if how["pooling"] == "density":
            found.append(structure_kernel(averaged_density(soap, frames), zeta=ZETA))
        else:
            found.append(structure_kernel(features, zeta=ZETA, **how))

    seconds = cpu_seconds(make)
    return found[0], seconds


def curve(
    K: np.ndarray,
    y: np.ndarray,
    counts: np.ndarray,
    intensive: bool,
    extensive_kernel: bool,
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Mean absolute errors on the test molecules against the number of training molecules.

    A kernel that is a sum learns the property of a molecule if that is extensive, and one that is a
    mean the property by atom; of an intensive property both learn the property. What composition
    tells, by linear regression, is taken off first.
    """
    sizes = arguments.sizes
    atoms = counts.sum(axis=1)
    size = np.ones(len(y)) if intensive or extensive_kernel else atoms
    if not extensive_kernel and not intensive:
        y = y / atoms
    X = counts if extensive_kernel and not intensive else counts / atoms[:, None]
    order = np.random.default_rng(0).permutation(len(y))
    test, pool = order[: arguments.n_test], order[arguments.n_test :]
    errors = np.zeros((arguments.repeats, len(sizes)))
    for repeat in range(arguments.repeats):
        drawn = np.random.default_rng(1 + repeat).permutation(pool)
        for k, n in enumerate(sizes):
            train = drawn[:n]
            baseline = X @ np.linalg.lstsq(X[train], y[train], rcond=None)[0]
            scale = np.diag(K)[train].mean()
            search = GridSearchCV(
                KernelRidge(kernel="precomputed"), {"alpha": ALPHAS}, cv=3, scoring=SCORE
            )
            search.fit(K[np.ix_(train, train)] / scale, (y - baseline)[train])
            found = baseline[test] + search.predict(K[np.ix_(test, train)] / scale)
            errors[repeat, k] = np.abs((found - y[test]) * size[test]).mean()
    return {
        "sizes": list(sizes),
        "mae": errors.mean(axis=0).tolist(),
        "deviation": errors.std(axis=0, ddof=min(1, arguments.repeats - 1)).tolist(),
    }


SCORE = "neg_mean_absolute_error"
# of trial values of alpha: REMatch is not positive definite
warnings.filterwarnings("ignore", "Singular matrix in solving dual problem")


def composition(frames) -> np.ndarray:
    """(n_molecules, n_species) numbers of atoms."""
    species = sorted({int(z) for atoms in frames for z in atoms.numbers})
    return np.array([[np.sum(atoms.numbers == z) for z in species] for atoms in frames], float)


def gaps(frames) -> np.ndarray:
    """Between the highest occupied and the lowest empty orbital of GFN2-xTB, eV."""
    from tblite.interface import Calculator

    found = []
    for atoms in frames:
        calculator = Calculator("GFN2-xTB", atoms.numbers, atoms.positions / Bohr)
        calculator.set("verbosity", 0)
        result = calculator.singlepoint()
        levels, occupied = (result.get(f"orbital-{what}") for what in ("energies", "occupations"))
        highest = round(float(np.sum(occupied)) / 2) - 1
        found.append(levels[highest + 1] - levels[highest])
    return np.array(found) * Hartree


def molecules(name: str, arguments: argparse.Namespace) -> list[Any]:
    """A random choice that is always the same."""
    files = sorted((arguments.data / name).glob("*.xyz"))
    if not files:
        raise SystemExit(f"{arguments.data / name} was not found: see --data")
    frames = [atoms for file in files for atoms in ase.io.read(file, ":")]
    arguments.sizes, arguments.n_test, arguments.repeats = SIZES, N_TEST, REPEATS
    if arguments.quick:
        arguments.sizes, arguments.n_test, arguments.repeats = (20, 40), 30, 2
    n = min(arguments.sizes[-1] + arguments.n_test, len(frames))
    chosen = np.random.default_rng(0).permutation(len(frames))[:n]
    return [frames[k] for k in chosen]


def write(sets: Mapping[str, Any], arguments: argparse.Namespace) -> None:
    """The JSON so far."""
    if arguments.json:
        content = {"machine": machine(["ase", "scikit-learn", "tblite"]), "sets": sets}
        Path(arguments.json).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def table_of(results: Mapping[str, Any]) -> str:
    """Mean absolute errors, and the deviation between choices of a third of all molecules."""
    parts = []
    for what, unit in PROPERTIES.items():
        rows = []
        for name in KERNELS:
            own = results[name]
            found = own["curves"][what]
            errors = [f"{e:.3g}" for e in found["mae"]]
            middle = len(errors) // 2
            rows.append(
                [name, *errors, f"{found['deviation'][middle]:.2g}", f"{own['seconds']:.0f}"]
            )
        head = [f"{what}, {unit}", *map(str, found["sizes"]), f"± at {found['sizes'][middle]}", "s"]
        parts.append(table(head, rows))
    return "\n\n".join(parts)


def plot(sets: Mapping[str, Any], path: str) -> None:
    """Both properties side by side, a row for each set, on log-log axes."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, NullLocator
    from PIL import Image

    figure = Figure(figsize=(9.6, 3.9 * len(sets)), layout="constrained")
    grid = figure.subplots(len(sets), 2, squeeze=False)
    for row, (title, results) in zip(grid, sets.items(), strict=True):
        for axes, (what, unit) in zip(row, PROPERTIES.items(), strict=True):
            for name in KERNELS:
                found = results[name]["curves"][what]
                errors = found["mae"], found["deviation"]
                axes.errorbar(found["sizes"], *errors, label=name, marker="o", ms=3)
            axes.set(xscale="log", yscale="log", xlabel="training molecules")
            axes.set(title=f"{title}: {what}", ylabel=f"MAE, {unit}")
            axes.set_xticks(found["sizes"], [str(n) for n in found["sizes"]])
            axes.xaxis.set_minor_locator(NullLocator())
            low, high = axes.get_ylim()
            steps = (10.0**k * n for k in range(-3, 4) for n in (1, 1.5, 2, 3, 5, 7))
            ticks = [n for n in steps if low < n < high]
            axes.set_yticks(ticks, [f"{n:g}" for n in ticks])
            axes.yaxis.set_minor_formatter(NullFormatter())
    grid[0, 0].legend(fontsize=8, frameon=False)
    drawn = BytesIO()
    figure.savefig(drawn, dpi=110)
    Image.open(drawn).convert("RGB").quantize(64).save(path, optimize=True)  # a quarter of the size


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sets", nargs="+", choices=tuple(ENERGIES), default=tuple(ENERGIES), help="default both"
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the reference data")
    parser.add_argument("--quick", action="store_true", help="70 molecules")
    parser.add_argument("--fit", action="store_true", help="compare with fit.toml instead")
    parser.add_argument("--json", metavar="FILE", help="write results; those there are kept")
    parser.add_argument("--plot", metavar="FILE", help="write the figure")
    return parser


if __name__ == "__main__":
    main()
