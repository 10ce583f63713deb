# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr info"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

EXAMPLE = """\
examples:
  soap-gpr info model.sgpr
  soap-gpr info model.sgpr --json | jq .provenance.sha256
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr info``."""
    parser.description = "Show species, terms, training data, settings and errors of a model."
    parser.epilog = EXAMPLE
    parser.add_argument("model", help="model file (*.sgpr)")
    parser.add_argument("--json", action="store_true", help="everything but the arrays, as JSON")


def run(args: argparse.Namespace) -> int:
    """Print what the model file says about itself."""
    from potential.model import Model
    from potential.runtime.printable import printable_values
    from potential.structures.structure import symbol
    from potential.training.provenance import summary

    model = Model.load(args.model)
    species = [symbol(z) for z in model.species]
    if args.json:
        content = model.metadata | {
            "species": species,
            "e0": {symbol(z): energy for z, energy in model.e0.items()},
            "cutoff": model.cutoff,
            "arrays": {name: list(array.shape) for name, array in model.arrays.items()},
        }
        print(json.dumps(content, indent=2))
        return 0
    record = printable_values(model.metadata["provenance"])
    size = Path(args.model).stat().st_size / 2**20
    print(f"{'Model':<14s} {args.model}, {size:.1f} MiB, format {model.metadata['format_version']}")
    print(f"{'Species':<14s} {', '.join(species)}; cutoff {model.cutoff:g} Å")
    made = [record[key] for key in ("date", "program", "settings_file") if record.get(key)]
    if made:
        print(f"{'Made':<14s} {', '.join(made)}")
    print(summary(model))
    for path, digest in record.get("sha256", {}).items():
        print(f"{'Data':<14s} {path} sha256 {digest[:16]}")
    return 0
