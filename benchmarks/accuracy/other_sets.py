# SPDX-License-Identifier: BSD-3-Clause
"""Test errors on the sets beside Zuo's, with one settings file for all of them.

MoNbTaW, acetylacetone, liquid water, water dimers and small molecules (energies only).

Where a set has no test file, its frames are divided at random with a fixed seed, as much of every
config_type into the test set. The data are looked for in ../shared/data beside the repository.

  python benchmarks/accuracy/other_sets.py
  python benchmarks/accuracy/other_sets.py --sets acetylacetone --settings mine.toml
"""

import argparse
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import ase.io
import numpy as np
from common import add_output_option, describe, emit, machine, table
from zuo import DATA, HERE, run_settings


@dataclass(frozen=True)
class Split:
    """A set: its files, and how many frames are drawn from train.xyz when it has no test file."""

    train: str
    test: str | None = None
    n_train: int = 0
    n_test: int = 0
    published: str = ""


SETS = {
    "MoNbTaW": Split(
        "MoNbTaW/train.xyz",
        n_train=600,
        n_test=300,
        published="SNAP, Li et al. 2020, whole set: E MAE 5, F MAE 0.14 (from memory)",
    ),
    "acetylacetone": Split(
        "acetylacetone/train_300K.xyz",
        "acetylacetone/test_MD_300K.xyz",
        published="RMSE in meV per molecule, eV/Å: BOTNet 0.89, 0.0063; NequIP 0.81, 0.0059; "
        "MACE 0.9, 0.0051 (from memory)",
    ),
    "water": Split("water_PBE0TS/train.xyz", n_train=160, n_test=80, published="none"),
    "water_dimers": Split(
        "water_dimers_MP2/dft4000K_2040.xyz", n_train=1000, n_test=500, published="none"
    ),
    "small_molecules": Split(
        "small_molecules_1000/all.xyz", n_train=700, n_test=285, published="none"
    ),
}
SEED = 20261121


def main() -> None:
    arguments = _arguments()
    template = tomllib.loads(arguments.settings.read_text())
    results = {}
    for name in arguments.sets:
        with tempfile.TemporaryDirectory() as folder:
            train, test = files_of(SETS[name], arguments.data, Path(folder))
            settings = template | {"data": {"train": [str(train)], "test": [str(test)]}}
            results[name] = run_settings(name, settings) | {"published": SETS[name].published}
            results[name]["atoms_per_test_frame"] = _mean_size(test)
        print(_table({name: results[name]}), end="\n\n", file=sys.stderr, flush=True)
    information = machine(["scipy", "vesin"])
    result = {
        "benchmark": "accuracy/other_sets",
        "machine": information,
        "settings": {key: value for key, value in template.items() if key != "data"},
        "seed": SEED,
        "units": {"energy": "meV/atom", "force": "eV/Å"},
        "sets": results,
    }
    notes = "\n".join(f"{name}: published: {SETS[name].published}" for name in arguments.sets)
    emit(f"{describe(information)}\n\n{_table(results)}\n{notes}", result, arguments.json)


def files_of(split: Split, data: Path, folder: Path) -> tuple[Path, Path]:
    """Training and test file, written into the folder where the set has no test file."""
    for name in filter(None, (split.train, split.test)):
        if not (data / name).exists():
            raise SystemExit(f"{data / name} was not found: --data names another folder")
    if split.test:
        return data / split.train, data / split.test
    frames = ase.io.read(data / split.train, ":")
    types = [frame.info.get("config_type", "default") for frame in frames]
    train, test = stratified(types, split.n_train, split.n_test)
    for name, chosen in (("train.xyz", train), ("test.xyz", test)):
        ase.io.write(folder / name, [frames[k] for k in chosen])
    return folder / "train.xyz", folder / "test.xyz"


def stratified(types: list[str], n_train: int, n_test: int) -> tuple[list[int], list[int]]:
    """About n_train and n_test indices, of every type the same share, none in both.

    The frames of each type are shuffled with SEED; the first are for training, the next for test.
    """
    rng, train, test = np.random.default_rng(SEED), list[int](), list[int]()
    for name in sorted(set(types)):
        members = rng.permutation([k for k, kind in enumerate(types) if kind == name]).tolist()
        share = len(members) / len(types)
        first = max(1, round(share * n_train))
        train += members[:first]
        test += members[first : first + max(1, round(share * n_test))]
    return sorted(train), sorted(test)


def _mean_size(file: Path) -> float:
    return float(np.mean([len(frame) for frame in ase.io.iread(file)]))


def _table(results: dict) -> str:
    head = ["", "train / test", "sparse points", "E MAE meV/atom", "E RMSE", "F MAE eV/Å", "F RMSE"]
    rows = []
    for name, result in results.items():
        own = result["test"]
        rows.append([name, f"{result['n_train']} / {result['n_test']}", result["n_sparse"]])
        rows[-1] += [own[key] for key in ("energy_mae", "energy_rmse", "force_mae", "force_rmse")]
        rows[-1] += [result["seconds"]["cpu"], result["peak_mib"]]
    return table([*head, "CPU s", "peak MiB"], rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--settings", type=Path, default=HERE / "default.toml")
    parser.add_argument("--data", type=Path, default=DATA)
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
