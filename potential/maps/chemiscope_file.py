# SPDX-License-Identifier: BSD-3-Clause
"""Maps for chemiscope, in which structures are looked at beside their points."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from potential.errors import SoapGprError
from potential.maps.catalogue import Catalogue
from potential.maps.projection import Projection
from potential.maps.properties import Property
from potential.runtime.output import atomic_file


def require_chemiscope(path: str | Path):
    """The package. Raises SoapGprError where it is not installed."""
    try:
        import chemiscope
    except ImportError:
        raise SoapGprError(
            f"{path}: chemiscope files need the package chemiscope, which is not installed"
        ) from None
    return chemiscope


def write_chemiscope(
    path: str | Path,
    title: str,
    catalogue: Catalogue,
    projection: Projection,
    properties: Sequence[Property],
    cutoff: float,
) -> None:
    """Write the map and its structures, .json or .json.gz, coloured by the first property.

    cutoff: Å, of the environments that are shown around atoms. Raises SoapGprError without the
    package chemiscope and when the file cannot be written.
    """
    chemiscope = require_chemiscope(path)
    target = "atom" if catalogue.per_atom else "structure"
    own = {
        name: {"target": target, "values": projection.coordinates[:, k]}
        for k, name in enumerate(projection.names)
    }
    for of in properties:
        # a list: some numpy arrays of words are no strings to the package
        own[of.name] = {"target": target, "values": of.values.tolist(), "units": of.unit}
    environments = None
    if catalogue.per_atom:
        pairs = zip(catalogue.structure.tolist(), catalogue.atom.tolist(), strict=True)
        environments = [(structure, atom, cutoff) for structure, atom in pairs]
    axes = {key: {"property": name} for key, name in zip("xy", projection.names, strict=False)}
    settings: dict[str, Any] = {
        "map": {**axes, "color": {"property": properties[0].name}},
        "target": target,
    }
    content = chemiscope.create_input(
        list(catalogue.frames),
        metadata={"name": title},
        properties=own,
        environments=environments,
        settings=settings,
    )
    text = json.dumps(content).encode()
    with atomic_file(path) as temporary:
        temporary.write_bytes(gzip.compress(text) if str(path).endswith(".gz") else text)
