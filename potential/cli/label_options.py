# SPDX-License-Identifier: BSD-3-Clause
"""Options shared by the commands that compare a model with labelled structures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from potential.structures.energy_units import EV_PER

if TYPE_CHECKING:
    from potential.model import Model
    from potential.settings import LabelKeys
    from potential.structures.read import DataSet
    from potential.structures.target_labels import TargetLabel

# Fields of LabelKeys without _key, and what the name is that of.
NAMES = {
    "energy": "energy",
    "forces": "forces",
    "virial": "virial",
    "stress": "stress",
    "force_mask": "column that marks atoms whose forces are no labels",
    "sigma": "expected errors, what follows energy_, force_, ...",
    "weight": "weight of a frame",
}
KEYS = tuple(f"{name}_key" for name in NAMES)


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, the data files and the names of the labels in them."""
    parser.add_argument("model", help="model file (*.sgpr)")
    parser.add_argument(
        "data", nargs="+", help="structures: files, globs, slices such as run.xyz@::10"
    )
    add_key_options(parser, "; default: as in training")


def add_key_options(parser: argparse.ArgumentParser, default: str = "") -> None:
    """One option for each field of LabelKeys."""
    for name, what in NAMES.items():
        option = f"--{name.replace('_', '-')}-key"
        parser.add_argument(option, metavar="KEY", help=f"name of the {what}{default}")
    parser.add_argument(
        "--energy-unit", choices=tuple(EV_PER), help=f"unit of energies{default or '; default: eV'}"
    )


def read_for_model(args: argparse.Namespace, model: Model, *, require_labels: bool) -> DataSet:
    """The data on the command line, with labels as in training; doubts and notes to stderr."""
    from potential.species import bead_names
    from potential.structures.label_names import from_dict
    from potential.structures.read import read_data_set

    keys = label_keys(args, model.metadata["settings"].get("data", {}))
    data = read_data_set(
        args.data,
        keys,
        require_labels=require_labels,
        required_keys=typed_keys(args),
        trained=from_dict(model.metadata["provenance"].get("labels")),
        beads=bead_names(model.species),
        targets=target_labels(model),
    )
    if keys.energy_unit != (args.energy_unit or "eV"):
        data.notes.append(
            f"labels are taken to be in {keys.energy_unit}, as in training; --energy-unit names "
            "another unit"
        )
    for line in data.doubts + data.notes:
        print(f"soap-gpr: warning: {line}", file=sys.stderr)
    return data


def target_labels(model: Model) -> list[TargetLabel]:
    """Where the frames have the labels of the model's targets: as in training."""
    from potential.species import species_number
    from potential.structures.target_labels import TargetLabel

    stored = model.metadata["settings"].get("targets", [])
    known = {target.name: target for target in model.targets}
    return [
        TargetLabel(
            own["name"],
            own["key"],
            own["column"],
            own["per_atom"],
            tuple(map(species_number, own["species"])),
            known[own["name"]].weight_column,
            known[own["name"]].rank,
            known[own["name"]].symmetric,
        )
        for own in stored
        if own["name"] in known
    ]


def label_keys(args: argparse.Namespace, stored: Mapping[str, Any]) -> LabelKeys:
    """Keys from the command line, else those of the [data] of the settings, as a model was trained
    with.

    A virial_key or stress_key on the command line puts both of training's aside.
    """
    from potential.settings import LabelKeys

    keys = {name: stored.get(name) for name in KEYS}
    if args.virial_key or args.stress_key:
        keys |= {"virial_key": None, "stress_key": None}
    keys |= {name: getattr(args, name) for name in typed_keys(args)}
    return LabelKeys(**keys, energy_unit=args.energy_unit or stored.get("energy_unit") or "eV")


def typed_keys(args: argparse.Namespace) -> list[str]:
    """Those on the command line: the data must have what they name."""
    return [name for name in KEYS if getattr(args, name)]
