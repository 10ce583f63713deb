# SPDX-License-Identifier: BSD-3-Clause
"""Crystals whose hydrogen shieldings a model of other crystals contradicts by more than 4 ppm, and
what the model has to do with it: whether it has seen sulphur, and learnt from odd labels.

  python benchmarks/papers/odd_shieldings.py CSD-500.xyz CSD-S546.xyz --json odd.json
"""

import argparse
import json
from collections.abc import Collection
from pathlib import Path

import ase
import ase.io
import numpy as np
from shieldings import KEY, NAME, settings

from potential import fit
from potential.runtime.text_table import text_table
from potential.structures.read import read_data_set
from potential.structures.target_labels import TargetLabel
from potential.training.label_check import odd_labels

OFF = 4.0  # ppm
LABEL = TargetLabel(NAME, KEY)
HEADINGS = ("trained on", "tested on", "crystals", f"off by {OFF:g} ppm", "RMSE of H (ppm)")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pure", help="CSD-500.xyz")
    parser.add_argument("sulphur", help="CSD-S546.xyz")
    parser.add_argument("--n-sparse", type=int, default=3000, help="environments of hydrogen")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    n = arguments.n_sparse
    pure, sulphur = halves(arguments.pure), halves(arguments.sulphur)
    odd = odd_frames(arguments.sulphur)
    rest = [[atoms for atoms in half if atoms.info["name"] not in odd] for half in sulphur]
    rows = [
        ("CSD-500", "CSD-500", *crossed(pure, n)),
        ("CSD-500", "CSD-S546, S removed", *compared(pure[0], without_sulphur(sulphur), n)),
        ("CSD-S546", "CSD-S546", *crossed(sulphur, n)),
        ("CSD-S546 without odd", "CSD-S546", *crossed(rest, n, sulphur)),
    ]
    cells = [(*row[:2], *map(str, row[2:4]), f"{row[4]:.2f}") for row in rows]
    print(text_table(HEADINGS, cells, left=(0, 1)))
    if arguments.json:
        listed = [dict(zip(HEADINGS, row, strict=True)) for row in rows]
        content = {"odd": sorted(odd), "rows": listed}
        Path(arguments.json).write_text(json.dumps(content, indent=1) + "\n")


def halves(path: str) -> list[list[ase.Atoms]]:
    frames = ase.io.read(path, ":")
    for k, atoms in enumerate(frames):
        atoms.info = {"name": f"{path}#{k}"}
        atoms.arrays[KEY] = atoms.arrays[KEY].reshape(len(atoms), -1)[:, 0]  # GIPAW alone
    order = np.random.default_rng(0).permutation(len(frames))
    return [[frames[k] for k in order[half::2]] for half in (0, 1)]


def without_sulphur(halves: list[list[ase.Atoms]]) -> list[ase.Atoms]:
    return [atoms[atoms.numbers != 16] for half in halves for atoms in half]


def odd_frames(path: str) -> Collection[str]:
    """The frames whose labels the check of `soap-gpr check` finds odd, of any species."""
    findings, _ = odd_labels(read_data_set([path], targets=[LABEL]).structures, LABEL)
    return {source for finding in findings for source in finding.frames}


def crossed(train: list, n_sparse: int, test: list | None = None) -> tuple[int, int, float]:
    """Each half of the test by the other half of the training crystals."""
    first, second = test or train
    found = errors_of(train[1], first, n_sparse)
    return summary(found + errors_of(train[0], second, n_sparse))


def compared(train: list, test: list, n_sparse: int) -> tuple[int, int, float]:
    return summary(errors_of(train, test, n_sparse))


def errors_of(train: list, test: list, n_sparse: int) -> list[np.ndarray]:
    """Errors of the hydrogens of every crystal, ppm."""
    species = {name for atoms in train for name in atoms.symbols}
    asked = settings()
    asked["terms"][0]["n_sparse"] = dict.fromkeys(species, 1) | {"H": n_sparse}
    asked["targets"][0] |= {"species": ["H"], "noise": 0.3, "column": None}
    model = fit(asked, train=train).model
    errors = []
    for atoms in test:
        hydrogen, labels = atoms.numbers == 1, atoms.arrays[KEY]
        if hydrogen.any():
            values = model.evaluate(atoms, forces=False).properties[NAME]
            errors.append((values - labels)[hydrogen])
    return errors


def summary(errors: list[np.ndarray]) -> tuple[int, int, float]:
    """Crystals, those with a hydrogen that is off, and the RMSE."""
    off = sum(bool(np.abs(own).max() > OFF) for own in errors)
    return len(errors), off, float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))


if __name__ == "__main__":
    main()
