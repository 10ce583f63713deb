# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr check"""

from __future__ import annotations

import argparse
import dataclasses
import json

from potential.cli.label_options import NAMES, typed_keys

EXAMPLE = """\
examples:
  soap-gpr check train.xyz test.xyz
  soap-gpr check 'run*.xyz@::10' --energy-key dft_energy --strict

Looks for missing labels, duplicates, wrong units and signs, forces that do not add up to zero,
extreme forces and energies, cells without pbc, and atoms too close. Files given together are taken
as one set, so that test structures that are in the training set are found as duplicates.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr check``."""
    parser.description = "Say what is odd about labelled structures, before a fit does."
    parser.epilog = EXAMPLE
    parser.add_argument(
        "data", nargs="+", help="structures: files, globs, slices such as run.xyz@::10"
    )
    for name in NAMES:
        parser.add_argument(f"--{name}-key", metavar="KEY", help=f"name of the {name} in the file")
    parser.add_argument("--json", action="store_true", help="write the findings as JSON")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if anything is found")


def run(args: argparse.Namespace) -> int:
    """Print one line per finding; 1 only when --strict and there are any."""
    from potential.cli.label_options import KEYS
    from potential.data import read_structures
    from potential.data_check import Finding, check
    from potential.settings import LabelKeys

    doubts: list[str] = []
    keys = LabelKeys(**{name: getattr(args, name) for name in KEYS})
    structures = read_structures(args.data, keys, required_keys=typed_keys(args), warnings=doubts)
    findings = [Finding("unread labels", doubt) for doubt in doubts] + check(structures)
    counts = {
        "structures": len(structures),
        "atoms": sum(map(len, structures)),
        "energies": sum(s.energy is not None for s in structures),
        "forces": sum(s.forces is not None for s in structures),
        "virials": sum(s.virial is not None for s in structures),
    }
    if args.json:
        listed = [dataclasses.asdict(finding) for finding in findings]
        print(json.dumps({"counts": counts, "findings": listed}, indent=2))
        return int(args.strict and bool(findings))
    having = ", ".join(f"{counts[name]} with {name}" for name in ("energies", "forces", "virials"))
    summary = f"{counts['structures']} structures, {counts['atoms']} atoms; {having}"
    print(f"{summary}: {'found' if findings else 'nothing odd was found'}")
    for finding in findings:
        print(f"- {finding.kind}: {finding.message}")
    return int(args.strict and bool(findings))
