# SPDX-License-Identifier: BSD-3-Clause
"""Learning curves of dipoles, polarizabilities, hyperpolarizabilities and shielding tensors, and of
energies beside them, on held-out structures.

Errors are of the spherical components of each λ, in % of how much these vary over the test
structures: of λ = 0 and energies the standard deviation, else the root mean square.
All targets of a set are in one model. Curves are means over random choices of training structures.

  python benchmarks/accuracy/tensors.py --json tensors.json --plot docs/images/tensors.svg
  python benchmarks/accuracy/tensors.py --sets zundel --quick
  python benchmarks/accuracy/tensors.py --sets zundel --validation --term '{"cutoff": 4.0}' \\
      --target '{"zeta": 3}'

--validation shows errors of validation structures, on which the settings of tensor_sets.py were
chosen; --term and --target change these.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import cpu_seconds, describe, machine, pin_to_one_core, table

pin_to_one_core()

import numpy as np  # noqa: E402
from tensor_sets import SETS, Frames, TensorSet  # noqa: E402

from potential import fit  # noqa: E402
from potential.scores.metrics import ALL  # noqa: E402
from potential.training.fitting import FitResult  # noqa: E402

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
PUBLISHED = {("zundel", "dipole"): 0.5}  # %, README of TENSOAP: 0.003 of 0.675 a.u.
PACKAGES = ("ase", "scipy")
Errors = dict[str, tuple[float, float]]  # by what they are of: % of the deviation, and in its unit
_WHOLE = ("", "λ = 1", "Cartesian", "Cartesian")  # by rank: what errors of all components are of


def main() -> None:
    arguments = options().parse_args()
    if not (arguments.data / "water_tensors").exists():
        raise SystemExit(f"{arguments.data / 'water_tensors'} was not found: see --data")
    results: dict[str, Any] = {}
    if arguments.json and Path(arguments.json).exists():
        results = json.loads(Path(arguments.json).read_text())["sets"]

    def keep() -> None:
        if arguments.json:
            content = {"machine": machine(PACKAGES), "sets": results}
            Path(arguments.json).write_text(json.dumps(content, indent=1) + "\n")

    for name in arguments.sets:
        learn(name, results.setdefault(name, {"curves": {}, "seconds": {}}), keep, arguments)
        print(f"{SETS[name].title}\n\n{table_of(results[name])}\n", flush=True)
    print(describe(machine(PACKAGES)))
    if arguments.plot:
        from tensor_plot import plot

        titles = {name: SETS[name].title for name in arguments.sets}
        plot(results, titles, PUBLISHED, arguments.plot)


def learn(name: str, result: dict[str, Any], keep, arguments: argparse.Namespace) -> None:
    """The curves of one set; sizes that are there already are kept."""
    own = SETS[name]
    sizes = tuple(arguments.sizes or (own.sizes[:2] if arguments.quick else own.sizes))
    settings = settings_of(own, arguments)
    if result.setdefault("settings", settings) != settings:
        raise SystemExit(f"{arguments.json}: found other settings of {name}, expected the same")
    pool, validation, test = own.read(arguments.data)
    test = validation if arguments.validation else test
    result["n_test"] = len(test)
    for n in sizes:
        if str(n) in result["seconds"]:
            continue
        found: list[Errors] = []
        for repeat in range(1 if n >= len(pool) else arguments.repeats or own.repeats):
            drawn = np.random.default_rng(1 + repeat).permutation(len(pool))[:n]
            one, seconds = fitted(settings, [pool[k] for k in drawn], test)
            found.append(one)
            print(f"{name}, {n} structures: {seconds:.0f} s", file=sys.stderr, flush=True)
        for what in found[0]:
            percent, rmse = zip(*(one[what] for one in found), strict=True)
            curve = result["curves"].setdefault(what, {})
            curve[str(n)] = {"percent": list(percent), "rmse": list(rmse)}
        result["seconds"][str(n)] = seconds
        keep()


def settings_of(own: TensorSet, arguments: argparse.Namespace) -> dict[str, Any]:
    targets = []
    asked = arguments.targets or own.targets
    if set(asked) - set(own.targets):
        raise SystemExit(f"--targets: expected some of {', '.join(own.targets)}")
    for name, target in ((name, own.targets[name]) for name in asked):
        tensor = {**own.basis, **arguments.target} if "kind" in target else {}
        noise = arguments.noise.get(name, target["noise"])
        targets.append({"name": name, **target, **tensor, "noise": noise})
    return {"terms": [{**own.term, **arguments.term}], "targets": targets}


def fitted(settings: Mapping[str, Any], train: Frames, test: Frames) -> tuple[Errors, float]:
    """The errors of a fit on the test frames, and CPU seconds of both."""
    results: list[FitResult] = []

    def run() -> None:
        results.append(fit(settings, train=train, test=test, progress=False))

    spent = cpu_seconds(run)
    found: Errors = {}
    for target in results[0].model.targets:
        groups = results[0].test_property_errors[target.name]
        parts = [group for group in groups if group.startswith("lambda=")]
        for group in [ALL, *parts]:
            what = group.replace("lambda=", "λ = ") if group != ALL else _WHOLE[target.rank]
            own = groups[group]
            found[f"{target.name}, {what}" if what else target.name] = own.percent, own.rmse
    return found, spent


def table_of(result: Mapping[str, Any]) -> str:
    """% by the number of training structures, and the error itself at the last."""
    sizes = sorted(result["seconds"], key=int)
    rows = []
    for what, curve in result["curves"].items():
        percent = [f"{np.mean(curve[n]['percent']):.3g}" for n in sizes]
        rows.append([what, *percent, f"{np.mean(curve[sizes[-1]]['rmse']):.3g}"])
    head = ["% of the deviation", *sizes, "RMSE"]
    seconds = f"{result['seconds'][sizes[-1]]:.0f} s of CPU"
    foot = f"{result['n_test']} structures predicted; the last fit took {seconds}"
    return f"{table(head, rows)}\n{foot}"


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), default=tuple(SETS))
    parser.add_argument("--targets", nargs="+", help="some of those of the sets")
    parser.add_argument("--validation", action="store_true", help="errors of validation structures")
    parser.add_argument("--term", type=json.loads, default={}, help="JSON for [[terms]]")
    parser.add_argument("--target", type=json.loads, default={}, help="JSON for [[targets]]")
    parser.add_argument("--noise", type=json.loads, default={}, help="JSON, by target")
    parser.add_argument("--sizes", nargs="+", type=int, help="numbers of training structures")
    parser.add_argument("--repeats", type=int, help="random choices of training structures")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the reference data")
    parser.add_argument("--quick", action="store_true", help="the two smallest sizes")
    parser.add_argument("--json", metavar="FILE", help="write results; those there are kept")
    parser.add_argument("--plot", metavar="FILE", help="write the figure")
    return parser


if __name__ == "__main__":
    main()
