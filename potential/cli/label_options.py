# SPDX-License-Identifier: BSD-3-Clause
"""Options shared by the commands that compare a model with labelled structures."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from potential.model import Model
    from potential.settings import LabelKeys

NAMES = ("energy", "forces", "virial", "stress")
KEYS = tuple(f"{name}_key" for name in NAMES)


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, the data files and the names of the labels in them."""
    parser.add_argument("model", help="model file (*.sgpr)")
    parser.add_argument(
        "data", nargs="+", help="structures: files, globs, slices such as run.xyz@::10"
    )
    for name in NAMES:
        parser.add_argument(
            f"--{name}-key", metavar="KEY", help=f"name of the {name}; default: as in training"
        )


def label_keys(args: argparse.Namespace, model: Model) -> LabelKeys:
    """Keys from the command line, else those that the model was trained with.

    A virial_key or stress_key on the command line puts both of training's aside.
    """
    from potential.settings import LabelKeys

    keys = {name: model.metadata["settings"].get("data", {}).get(name) for name in KEYS}
    if args.virial_key or args.stress_key:
        keys |= {"virial_key": None, "stress_key": None}
    return LabelKeys(**keys | {name: getattr(args, name) for name in KEYS if getattr(args, name)})


def typed_keys(args: argparse.Namespace) -> list[str]:
    """Keys from the command line: the data must have them."""
    return [getattr(args, name) for name in KEYS if getattr(args, name)]
