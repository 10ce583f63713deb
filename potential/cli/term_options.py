# SPDX-License-Identifier: BSD-3-Clause
"""Options shared by the commands that look at the features of a term."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from potential.cli.label_options import add_key_options, label_keys, typed_keys
from potential.cli.numbers import integer, number
from potential.schema.limits import MOST_SEED

if TYPE_CHECKING:
    import ase

    from potential.descriptors.chosen import TermDescriptor, TermFeatures
    from potential.maps.catalogue import Catalogue
    from potential.maps.points import PointKernel
    from potential.structures.structure import Structure

POOLINGS = ("features", "mean", "sum", "rematch")


def add_term_arguments(parser: argparse.ArgumentParser) -> None:
    """The structures, the term of a fit.toml or a model, and the names of the labels."""
    parser.add_argument(
        "data", nargs="+", metavar="FRAMES", help="structures: files, globs, run.xyz@::10"
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--settings", metavar="TOML", help="features of a fit.toml")
    source.add_argument("--model", metavar="SGPR", help="features of a model")
    parser.add_argument(
        "--term", type=integer(1, 1000), default=1, metavar="N", help="which term; default 1"
    )
    parser.add_argument(
        "--per", choices=("atom", "structure"), help="what a row or a point stands for"
    )
    parser.add_argument(
        "--centers", nargs="+", metavar="SPECIES", help="atoms of these alone; default all"
    )
    add_key_options(parser, "; default: as in the settings")


def add_kernel_options(parser: argparse.ArgumentParser) -> None:
    """Parameters of kernels as ``structure_kernel`` names them."""
    parser.add_argument(
        "--zeta", type=number(1, 100), metavar="Z", help="power of the kernel; default: the term's"
    )
    parser.add_argument(
        "--pooling",
        choices=POOLINGS,
        help="kernel of structures: of their averaged features (the default, and the quickest), "
        "mean or sum of all pairs of atoms, or REMatch",
    )
    parser.add_argument(
        "--gamma", type=number(1e-6, 1e6), metavar="G", help="of REMatch; default 0.1"
    )
    parser.add_argument(
        "--normalize", action="store_true", help="kernels of 1 of a point with itself"
    )
    parser.add_argument(
        "--shared", action="store_true", help="compare centres of different species too"
    )
    parser.add_argument(
        "--seed", type=integer(0, MOST_SEED), metavar="N", help="of random choices; default 0"
    )


def read_term(args: argparse.Namespace) -> TermDescriptor:
    """What ``--settings`` or ``--model`` and ``--term`` name."""
    from potential.descriptors.chosen import descriptor_of

    return descriptor_of(args.settings, args.model, args.term)


def read_catalogues(
    args: argparse.Namespace, term: TermDescriptor, per_atom: bool, *, labels: bool
) -> list[Catalogue]:
    """Structures or atoms that ``--centers`` leaves, of FRAMES and of ``--to``; with labels where
    there are any, or without looking at them. Doubts and notes go to stderr."""
    from potential.descriptors.inputs import species_of
    from potential.maps.catalogue import catalogue_of

    centers = species_of(args.centers, term.beads) if args.centers else None
    catalogues = []
    for specs in filter(None, (args.data, getattr(args, "to", None))):
        frames, structures, lines = _read(args, specs, term, labels)
        own, warnings = catalogue_of(frames, structures, per_atom, centers)
        for line in lines + warnings:
            print(f"soap-gpr: warning: {line}", file=sys.stderr)
        catalogues.append(own)
    return catalogues


def _read(
    args: argparse.Namespace, specs: list[str], term: TermDescriptor, labels: bool
) -> tuple[list[ase.Atoms], list[Structure], list[str]]:
    """Frames, their structures, and what there is to say of the labels."""
    from potential.structures.read import geometries, labelled, read_frames

    found = read_frames(specs, term.beads)
    frames = [atoms for atoms, _ in found]
    if not labels:
        return frames, geometries(found), []
    data = labelled(
        found,
        ", ".join(specs),
        label_keys(args, term.data),
        require_labels=bool(typed_keys(args)),
        required_keys=typed_keys(args),
    )
    return frames, data.structures, data.doubts + data.notes


def record_of(args: argparse.Namespace, term: TermFeatures) -> dict[str, Any]:
    """What features are of, in plain types."""
    from potential.version import package_version

    return {
        "file": args.settings or args.model,
        "term": args.term,
        "kind": term.entry["kind"],
        "cutoff": term.entry["cutoff"],
        "n_features": term.n_features,
        "soap_gpr": package_version(),
    }


def read_kernel(args: argparse.Namespace, term: TermFeatures, per_atom: bool) -> PointKernel:
    """The kernel of the term with what the options change."""
    from potential.errors import SoapGprError
    from potential.maps.points import kernel_for

    for option in ("pooling", "gamma"):
        if per_atom and getattr(args, option) is not None:
            raise SoapGprError(f"--{option}: found with --per atom, expected --per structure")
    if args.gamma is not None and args.pooling != "rematch":
        raise SoapGprError("--gamma: expected --pooling rematch with it")
    return kernel_for(
        term,
        f"{args.settings or args.model}: term {args.term}",
        args.shared,
        zeta=args.zeta,
        pooling=args.pooling or POOLINGS[0],
        gamma=args.gamma,
        normalize=args.normalize,
        per_atom=per_atom,
    )
