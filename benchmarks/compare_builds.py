#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two builds of soap-gpr in turns: CPU time of evaluations, fits and LAMMPS, and how errors differ.

    python benchmarks/compare_builds.py --before old/bin/python --after new/bin/python

Each build is a Python that has it installed with LAMMPS. Both run the same model files, which the
older one fits. Ratios are medians over rounds in which the builds take turns on one core. Run it
with the newer one.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import (
    add_output_option,
    describe,
    emit,
    machine,
    pin_to_one_core,
    ratios,
    table,
)

WATER = Path(__file__).resolve().parents[1] / "examples/water"
TERMS = {
    "zeta_4": "[[terms]]\ncutoff = 4.5\nn_sparse = 600\n",
    "zeta_2": "[[terms]]\ncutoff = 4.5\nn_sparse = 600\nzeta = 2\n",
    "all_kinds": "[[terms]]\ncutoff = 4.0\nn_max = 6\nn_sparse = 300\n"
    '[[terms]]\nkind = "pair"\n[[terms]]\nkind = "triplet"\n[baseline.zbl]\n',
    "product": '[[terms]]\nkind = "product"\nn_sparse = 300\n'
    "[[terms.factors]]\ncutoff = 3.0\nn_max = 6\nzeta = 1\n"
    "[[terms.factors]]\ncutoff = 4.5\nn_max = 6\nzeta = 2\n",
}
LAMMPS = """units metal
read_data {data}
pair_style soap/gpr
pair_coeff * * {model} O H
velocity all create 300 1
fix 1 all nve
thermo 100
run 100
"""


def cpu(command: list, **options) -> float:
    """CPU seconds of a program and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def fit(python: str, folder: Path, name: str) -> tuple[float, Path]:
    """CPU seconds of a fit, and the model."""
    settings, model = folder / f"{name}.toml", folder / f"{name}-{Path(python).parts[-3]}.sgpr"
    train = f'[data]\ntrain = ["{WATER}/train.xyz@::4"]\ntest = ["{WATER}/test.xyz"]\n'
    settings.write_text(train + TERMS[name])
    return cpu([Path(python).parent / "soap-gpr", "fit", settings, "-o", model]), model


def evaluate(python: str, model: Path) -> dict[str, float]:
    """µs per atom of a water box of a thousand atoms or more, without and with forces."""
    command = [Path(python).parent / "soap-gpr", "benchmark", model, f"{WATER}/start.xyz"]
    command += ["--seconds", "2", "--threads", "1", "--json", "-"]
    result = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    runs = json.loads(result[result.index("{") :])["runs"]
    return {"forces" if own["forces"] else "energies": own["us_per_atom"] for own in runs}


def lammps(python: str, model: Path, folder: Path) -> float:
    """CPU seconds of a hundred steps."""
    script = folder / "in.water"
    script.write_text(LAMMPS.format(data=WATER / "start.data", model=model))
    return cpu([Path(python).parent / "lmp", "-in", script, "-log", "none"], cwd=folder)


def measure(
    python: str, model: Path, folder: Path, case: str, evaluation_only: bool
) -> dict[str, float]:
    """All times of one build in one round."""
    times = evaluate(python, model)
    if not evaluation_only:
        times |= {"LAMMPS": lammps(python, model, folder), "fit": fit(python, folder, case)[0]}
    return times


def errors(python: str, model: Path) -> dict:
    """Test errors that the model file has on record."""
    command = [Path(python).parent / "soap-gpr", "info", model, "--json"]
    record = json.loads(subprocess.check_output(command, text=True))["provenance"]
    return record["test_errors"]["errors"]


def main() -> None:
    pin_to_one_core()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", required=True, help="Python with the older build")
    parser.add_argument("--after", required=True, help="Python with the newer build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--evaluation-only", action="store_true", help="no LAMMPS, no fits")
    add_output_option(parser)
    args = parser.parse_args()
    builds = {"before": args.before, "after": args.after}
    rows, same = [], {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        for case in TERMS:
            models = {build: fit(python, folder, case)[1] for build, python in builds.items()}
            same[case] = [errors(args.after, model)["all"] for model in models.values()]
            rounds: dict[str, list] = {}
            for _ in range(args.rounds):
                measured = [
                    measure(python, models["before"], folder, case, args.evaluation_only)
                    for python in builds.values()
                ]
                for what in measured[0]:
                    rounds.setdefault(what, []).append([own[what] for own in measured])
            for what, pairs in rounds.items():
                before, after = zip(*pairs, strict=True)
                rows.append({"case": case, "what": what, "ratio": ratios(after, before)})
            print(case, file=sys.stderr, flush=True)
    head = ("case", "what", "after / before", "quartiles", "")
    lines = [
        (
            own["case"].replace("_", " "),
            own["what"],
            own["ratio"]["median"],
            *own["ratio"]["quartiles"],
        )
        for own in rows
    ]
    information = machine()
    text = f"{describe(information)}\n\n{table(head, lines)}"
    emit(text, {"machine": information, "rows": rows, "test_errors": same}, args.json)


if __name__ == "__main__":
    main()
