# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr map"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from potential.cli.numbers import integer
from potential.cli.output_options import add_output
from potential.cli.term_options import (
    add_kernel_options,
    add_term_arguments,
    read_catalogues,
    read_kernel,
    read_term,
)

if TYPE_CHECKING:
    from potential.descriptors.chosen import TermFeatures
    from potential.maps.catalogue import Catalogue
    from potential.maps.points import PointKernel
    from potential.maps.projection import Projection
    from potential.maps.properties import Property

EXAMPLE = """\
examples:
  soap-gpr map train.xyz test.xyz --settings fit.toml --by file
  soap-gpr map test.xyz --model model.sgpr --by error energy -o map.html map.json.gz map.png
  soap-gpr map train.xyz --model model.sgpr --per atom --centers Si -o atoms.html

The page needs no other file and no network; .json and .json.gz are for chemiscope. Properties:
energy, config_type, file, atoms, volume, species, and columns of atoms and
values of frames by their names; with --model also error, uncertainty, rigidity and local_energy.
docs/describe.md says how to read a map.
"""
HTML, CHEMISCOPE = (".html",), (".json", ".json.gz")
MOST_POINTS = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``soap-gpr map``."""
    parser.description = "Draw structures or atoms where their kernel says that they are alike."
    parser.epilog = EXAMPLE
    add_term_arguments(parser)
    parser.add_argument(
        "--by",
        nargs="+",
        metavar="PROPERTY",
        help="colours; default: the energy where there is one, else config_type or file",
    )
    parser.add_argument(
        "--method",
        choices=("kpca", "umap"),
        default="kpca",
        help="kernel principal components, or UMAP of them (umap-learn); default %(default)s",
    )
    add_kernel_options(parser)
    parser.add_argument(
        "--landmarks",
        type=integer(3, 4000),
        default=500,
        metavar="N",
        help="points, chosen as the most different ones, whose combinations the components are; "
        "default %(default)s",
    )
    parser.add_argument(
        "--points",
        type=integer(3, MOST_POINTS),
        default=10_000,
        metavar="N",
        help="at most so many, at random; default %(default)s",
    )
    add_output(
        parser,
        "-o",
        "--output",
        nargs="+",
        default=["map.html"],
        help=".html, .png, .json or .json.gz for chemiscope; default map.html",
    )


def run(args: argparse.Namespace) -> int:
    """Write the map in all formats that are asked for."""
    from potential.errors import SoapGprError
    from potential.maps.catalogue import thinned
    from potential.maps.model_properties import ERROR
    from potential.maps.points import points_of
    from potential.maps.projection import project
    from potential.runtime.output import require_outputs
    from potential.runtime.progress import bar
    from potential.structures.read import files_of

    require_outputs(args.output, [args.settings, args.model, *files_of(args.data)])
    for path in args.output:
        _require_format(path)
    if args.by and ERROR in args.by and args.model is None:
        raise SoapGprError(f"--by {ERROR}: found with --settings, expected --model")
    descriptor, seed = read_term(args), args.seed or 0
    (everything,) = read_catalogues(args, descriptor, args.per == "atom", labels=True)
    catalogue = thinned(everything, args.points, seed)
    term = descriptor.term_for(everything.structures)
    kernel = read_kernel(args, term, catalogue.per_atom)
    properties = _properties(args, term, catalogue)
    points = points_of(term, catalogue.structures, kernel, catalogue.chosen, bar)
    projection = project(points, args.method, n_landmarks=args.landmarks, seed=seed, progress=bar)
    lines = _lines(args, term, kernel, catalogue, len(everything), projection)
    for path in args.output:
        _write(path, args, lines, catalogue, projection, properties, term)
        print(f"soap-gpr: wrote {path}", file=sys.stderr)
    print("\n".join(lines))
    return 0


def _require_format(path: str) -> None:
    from potential.maps.arrays import PNG, require_format
    from potential.maps.chemiscope_file import require_chemiscope

    if path.endswith(CHEMISCOPE):
        require_chemiscope(path)
    else:
        require_format(path, HTML, PNG, CHEMISCOPE)


def _properties(
    args: argparse.Namespace, term: TermFeatures, catalogue: Catalogue
) -> list[Property]:
    """Those asked for, or the default, and others that are of interest."""
    from potential.maps.model_properties import OF_MODEL
    from potential.maps.properties import property_of
    from potential.runtime.progress import bar

    usual = ["energy"] if any(s.energy is not None for s in catalogue.structures) else []
    usual += ["config_type", "file", *(["species"] if catalogue.per_atom else [])]
    found = [property_of(catalogue, name) for name in usual]
    found = [own for own in found if own.varies] or found[-1:]
    asked = [
        OF_MODEL[name](catalogue, term.model, bar)
        if args.model and name in OF_MODEL
        else property_of(catalogue, name)
        for name in args.by or ()
    ]
    return asked + [own for own in found if own.name not in (args.by or ())]


def _lines(
    args: argparse.Namespace,
    term: TermFeatures,
    kernel: PointKernel,
    catalogue: Catalogue,
    n_all: int,
    projection: Projection,
) -> list[str]:
    """What the map is of, in words."""
    what = "atoms" if catalogue.per_atom else "structures"
    n = len(catalogue)
    thin = f", {n} of {n_all} at random" if n < n_all else ""
    of = "environments" if catalogue.per_atom else f"structures (pooling {kernel.pooling!r})"
    lines = [
        f"{n} {what} of {', '.join(args.data)}{thin}",
        f"Kernel of {of}, zeta {kernel.zeta:g}, of {term.n_features} features of term {args.term} "
        f"of {args.settings or args.model}.",
    ]
    if projection.n_landmarks < n:
        lines.append(f"Components are combinations of {projection.n_landmarks} of the {what}.")
    if projection.share is not None:
        lines.append(f"The two directions have {100 * projection.share:.3g} % of the variance.")
    return lines


def _write(
    path: str,
    args: argparse.Namespace,
    lines: list[str],
    catalogue: Catalogue,
    projection: Projection,
    properties: list[Property],
    term: TermFeatures,
) -> None:
    from potential.maps.chemiscope_file import write_chemiscope
    from potential.maps.colors import coloring
    from potential.maps.page import write_page
    from potential.maps.picture import map_figure, save

    title = f"Map of {'atoms' if catalogue.per_atom else 'structures'}"
    if path.endswith(CHEMISCOPE):
        cutoff = term.entry["cutoff"]
        write_chemiscope(path, title, catalogue, projection, properties, cutoff)
    elif path.lower().endswith(HTML):
        labels = [
            "\n".join([name, *(own.shown(k) for own in properties if own.name != "file")])
            for k, name in enumerate(catalogue.names())
        ]
        colors = [coloring(own) for own in properties]
        write_page(path, title, lines[0], projection, colors, labels, lines[1:])
    else:
        save(path, map_figure(projection, coloring(properties[0])))
