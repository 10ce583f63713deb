# SPDX-License-Identifier: BSD-3-Clause
"""Errors on held-out training frames of Zuo's sets: for choosing settings without the test sets.

A sixth of the frames of each config_type, drawn with a seed, is left out of the fit.
Settings are given as JSON and added to the package's defaults.

  python benchmarks/accuracy/holdout.py
  python benchmarks/accuracy/holdout.py --terms '[{"cutoff": 6.0}]' --noise '{"force": 0.02}'
"""

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import ase.io
import numpy as np
from common import add_output_option, describe, emit, machine, table
from zuo import DATA, PUBLISHED, run_settings


def main() -> None:
    arguments = _arguments()
    elements = {}
    for element in arguments.elements:
        with tempfile.TemporaryDirectory() as folder:
            data = divide(
                arguments.data / f"mlearn_{element}" / "train.xyz", Path(folder), arguments.seed
            )
            noise = {"virial_per_atom": math.inf} | arguments.noise
            settings = {"data": data, "terms": arguments.terms, "noise": noise}
            elements[element] = run_settings(element, settings)
    keys = ("energy_mae", "energy_rmse", "force_mae", "force_rmse")
    rows = [
        [name, *(result["test"][key] for key in keys), result["seconds"]["cpu"]]
        for name, result in elements.items()
    ]
    head = ["held out", "E MAE meV/atom", "E RMSE", "F MAE eV/Å", "F RMSE", "CPU s"]
    information = machine()
    result = {"benchmark": "accuracy/holdout", "machine": information, "elements": elements}
    result |= {"terms": arguments.terms, "noise": arguments.noise, "seed": arguments.seed}
    emit(f"{describe(information)}\n\n{table(head, rows)}", result, arguments.json)


def divide(file: Path, folder: Path, seed: int = 1) -> dict[str, list[str]]:
    """Settings [data] with the frames of the file, every sixth of each config_type as test."""
    if not file.exists():
        raise SystemExit(f"{file} was not found: --data names another folder")
    frames, types = ase.io.read(file, ":"), dict[str, list[int]]()
    for k, frame in enumerate(frames):
        types.setdefault(frame.info["config_type"], []).append(k)
    rng, held = np.random.default_rng(seed), set[int]()
    for members in types.values():
        held |= set(rng.permutation(members)[: max(1, round(len(members) / 6))].tolist())
    ase.io.write(folder / "train.xyz", [f for k, f in enumerate(frames) if k not in held])
    ase.io.write(folder / "test.xyz", [f for k, f in enumerate(frames) if k in held])
    return {"train": [str(folder / "train.xyz")], "test": [str(folder / "test.xyz")]}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--elements", nargs="+", choices=PUBLISHED, default=list(PUBLISHED))
    parser.add_argument("--terms", type=json.loads, default=[{}], help="JSON list of [[terms]]")
    parser.add_argument("--noise", type=json.loads, default={}, help="JSON of [noise]")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of held-out frames")
    parser.add_argument("--data", type=Path, default=DATA)
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
