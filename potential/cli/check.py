# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr check"""

from __future__ import annotations

import argparse
import dataclasses
import json

from potential.cli.label_options import KEYS, add_key_options
from potential.errors import SoapGprError

EXAMPLE = """\
examples:
  soap-gpr check train.xyz test.xyz
  soap-gpr check 'run*.xyz@::10' --energy-key dft_energy --strict
  soap-gpr check crystals.xyz --atom-key CS --atom-column 0
  soap-gpr check molecules.xyz --tensor-key dipole --tensor-key polarizability

Looks for missing labels, duplicates, wrong units and signs, forces that do not add up to zero,
extreme forces and energies, cells without pbc, and atoms too close. Files given together are taken
as one set, so that test structures that are in the training set are found as duplicates. With
--atom-key and --tensor-key, labels are compared with what a model of the other half of the data
predicts.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr check``."""
    parser.description = "Say what is odd about labelled structures, before a fit does."
    parser.epilog = EXAMPLE
    parser.add_argument(
        "data", nargs="+", help="structures: files, globs, slices such as run.xyz@::10"
    )
    add_key_options(parser)
    parser.add_argument("--atom-key", metavar="KEY", help="name of a label of atoms to look at")
    parser.add_argument(
        "--atom-column", metavar="N", type=int, help="which of its columns, the first is 0"
    )
    parser.add_argument(
        "--tensor-key",
        metavar="KEY",
        action="append",
        default=[],
        help="name of a vector or tensor of atoms or frames to look at; may be given several times",
    )
    parser.add_argument("--json", action="store_true", help="write the findings as JSON")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if anything is found")


def run(args: argparse.Namespace) -> int:
    """Print one line per finding; 1 only when --strict and there are any."""
    from potential.runtime.progress import bar
    from potential.settings import LabelKeys
    from potential.structures.check import Finding, check
    from potential.structures.read import labelled, read_frames
    from potential.structures.target_labels import TargetLabel
    from potential.structures.tensor_labels import tensor_label
    from potential.training.label_check import odd_labels
    from potential.training.tensor_check import tensor_findings

    named = {name: getattr(args, name) for name in KEYS}
    keys = LabelKeys(**named, energy_unit=args.energy_unit or "eV")
    if args.atom_column is not None and not args.atom_key:
        raise SoapGprError("--atom-column: found a number, expected --atom-key with it")
    labels = [TargetLabel("label", args.atom_key, args.atom_column)] if args.atom_key else []
    frames = read_frames(args.data)
    tensors = [tensor_label(frames, key) for key in dict.fromkeys(args.tensor_key)]
    data = labelled(frames, ", ".join(args.data), keys, targets=labels + tensors)
    structures = data.structures
    findings = [Finding("unread labels", doubt) for doubt in data.doubts] + check(structures)
    notes = list(data.notes)
    for label in labels:
        odd, not_compared = odd_labels(structures, label, bar)
        findings, notes = findings + odd, notes + not_compared
    for label in tensors:
        odd, not_compared = tensor_findings(structures, label, bar)
        findings, notes = findings + odd, notes + not_compared
    counts = {
        "structures": len(structures),
        "atoms": sum(map(len, structures)),
        "energies": sum(s.energy is not None for s in structures),
        "forces": sum(s.forces is not None for s in structures),
        "virials": sum(s.virial is not None for s in structures),
    }
    if args.json:
        listed = [dataclasses.asdict(finding) for finding in findings]
        answer = {"counts": counts, "findings": listed, "notes": notes}
        print(json.dumps(answer, indent=2))
        return int(args.strict and bool(findings))
    having = ", ".join(f"{counts[name]} with {name}" for name in ("energies", "forces", "virials"))
    summary = f"{counts['structures']} structures, {counts['atoms']} atoms; {having}"
    print(f"{summary}: {'found' if findings else 'nothing odd was found'}")
    for finding in findings:
        print(f"- {finding.kind}: {finding.message}")
    for note in notes:
        print(f"note: {note}")
    return int(args.strict and bool(findings))
