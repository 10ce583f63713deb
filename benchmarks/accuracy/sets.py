# SPDX-License-Identifier: BSD-3-Clause
"""The reference sets with energies and forces, and how each is divided.

Training and test frames are those of the set's own files, or drawn at random with a fixed seed, as
much of every config_type into each. Settings are chosen on a part of the training frames that is
held out (``held_out``), never on test frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ase.io
import numpy as np

from potential.settings.noise import AUTO, WORDS
from potential.settings.presets import PRESETS

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SEED = 20261121
HELD_OUT = 6  # one frame of so many of each config_type
# Published potentials of Zuo's sets have no stresses, and those of Cu and Li are off.
NO_STRESS = {"noise": {"virial_per_atom": float("inf")}}
PRESET_VARIANTS = {name: {"preset": name} for name in PRESETS}
# Of frames without a label of their own config_type.
DEFAULT = "default"


@dataclass(frozen=True)
class DataSet:
    """Files, and how many frames are drawn from ``train`` when there is no test file."""

    train: str
    test: str = ""
    n_train: int = 0
    n_test: int = 0
    published: str = "none"
    settings: dict[str, Any] = field(default_factory=dict)  # of fit.toml: what its labels need


SETS = {
    "Si": DataSet("mlearn_Si/train.xyz", "mlearn_Si/test.xyz", settings=NO_STRESS),
    "Cu": DataSet("mlearn_Cu/train.xyz", "mlearn_Cu/test.xyz", settings=NO_STRESS),
    "Li": DataSet("mlearn_Li/train.xyz", "mlearn_Li/test.xyz", settings=NO_STRESS),
    "MoNbTaW": DataSet(
        "MoNbTaW/train.xyz",
        n_train=600,
        n_test=300,
        published="SNAP, Li et al. 2020, whole set: E MAE 5, F MAE 0.14 (from memory)",
    ),
    "GeSbTe": DataSet("GeSbTe_mace/validate.xyz", n_train=120, n_test=60),
    "PbTe": DataSet(
        "PbTe_NEP/train.xyz", n_train=18, n_test=7, settings={"data": {"forces_key": "force"}}
    ),
    "carbon": DataSet(
        "carbon_GAP17_100/carbon_reduced_100.xyz",
        n_train=75,
        n_test=25,
        settings={"data": {"forces_key": "force"}},
    ),
    "water": DataSet("water_PBE0TS/train.xyz", n_train=160, n_test=80),
    "acetylacetone": DataSet(
        "acetylacetone/train_300K.xyz",
        "acetylacetone/test_MD_300K.xyz",
        published="RMSE in meV per molecule, eV/Å: BOTNet 0.89, 0.0063; NequIP 0.81, 0.0059; "
        "MACE 0.9, 0.0051 (from memory)",
    ),
    "ethanol": DataSet(
        "ethanol_rMD17/ethanol_train_0.xyz",
        n_train=500,
        n_test=250,
        published="MAE in meV per molecule, eV/Å, 1000 training frames: GAP 3.5, 0.0181; FCHL19 "
        "0.9, 0.0062; ACE 1.2, 0.0073; NequIP 0.4, 0.0028; MACE 0.4, 0.0021 (from memory)",
    ),
    "water_dimers": DataSet("water_dimers_MP2/dft4000K_2040.xyz", n_train=1000, n_test=500),
    "small_molecules": DataSet("small_molecules_1000/all.xyz", n_train=700, n_test=285),
}


def settings_of(name: str, template: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Settings of a fit: those of the set below those of the template; data: train and test. With
    noise = "auto" levels that the set leaves out stay so."""
    own = SETS[name].settings
    if template.get("noise") == AUTO:
        template = template | {"noise": WORDS[AUTO] | own.get("noise", {})}
    tables = {key: own.get(key, {}) | template.get(key, {}) for key in ("data", "noise")}
    tables["data"] |= data
    return template | {key: table for key, table in tables.items() if table}


def divided(name: str, folder: Path, data: Path = DATA) -> dict[str, list[str]]:
    """[data] with the training and the test file, written into the folder where the set has no test
    file."""
    own = SETS[name]
    if own.test:
        return _data(_found(data / own.train), _found(data / own.test))
    frames = ase.io.read(_found(data / own.train), ":")
    train, test = stratified(_types(frames), own.n_train, own.n_test)
    return _written(frames, train, test, folder)


def held_out(
    name: str, folder: Path, seed: int = 1, share: float = 1.0, data: Path = DATA
) -> dict[str, list[str]]:
    """[data] of the training frames, or a share of them, with one of HELD_OUT of each config_type
    as test."""
    frames = ase.io.read(divided(name, folder, data)["train"][0], ":")
    types = dict[str, list[int]]()
    for k, own in enumerate(_types(frames)):
        types.setdefault(own, []).append(k)
    rng, train, test = np.random.default_rng(seed), list[int](), list[int]()
    for members in types.values():
        own = rng.permutation(members).tolist()
        own = own[: max(2, round(share * len(own)))]
        n_test = max(1, round(len(own) / HELD_OUT))
        test += own[:n_test]
        train += own[n_test:]
    return _written(frames, sorted(train), sorted(test), folder)


def stratified(types: Sequence[str], n_train: int, n_test: int) -> tuple[list[int], list[int]]:
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


def mean_size(files: Sequence[str]) -> float:
    """Atoms per frame."""
    return float(np.mean([len(frame) for file in files for frame in ase.io.iread(file)]))


def _types(frames: Sequence[Any]) -> list[str]:
    return [frame.info.get("config_type", DEFAULT) for frame in frames]


def _found(file: Path) -> Path:
    if not file.exists():
        raise SystemExit(
            f"{file} was not found: this benchmark needs the reference data that lie beside the "
            "repository; --data names another folder"
        )
    return file


def _written(
    frames: Sequence[Any], train: Sequence[int], test: Sequence[int], folder: Path
) -> dict[str, list[str]]:
    for name, chosen in (("train.xyz", train), ("test.xyz", test)):
        ase.io.write(folder / name, [frames[k] for k in chosen])
    return _data(folder / "train.xyz", folder / "test.xyz")


def _data(train: Path, test: Path) -> dict[str, list[str]]:
    return {"train": [str(train)], "test": [str(test)]}
