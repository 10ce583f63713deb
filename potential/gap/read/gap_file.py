# SPDX-License-Identifier: BSD-3-Clause
"""A GAP potential as its files hold it: one XML file and the files of sparse points beside it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers

from potential.errors import SoapGprError
from potential.gap.read.option_text import options
from potential.gap.read.values import number
from potential.gap.read.xml_file import Element, read_xml

KERNELS = {0: "none", 1: "ard_se", 2: "dot_product", 3: "bond_real_space", 4: "pp"}
MAX_VALUES = 4e9  # numbers in the sparse points of one coordinate


@dataclass(frozen=True)
class Coordinate:
    """One gpCoordinates: a descriptor with the Gaussian process of its values."""

    where: str  # for messages: the file and the label
    descriptor: str
    kernel: str
    delta: float  # eV; signal_variance holds it, not its square
    f0: float
    zeta: float | None  # of dot_product
    theta: np.ndarray  # (d,) of ard_se and pp
    permutations: list[np.ndarray]  # each (d,), from 0
    alpha: np.ndarray  # (M,)
    cutoffs: np.ndarray  # (M,) cutoff functions of the sparse points' own instances
    points: np.ndarray  # (M, d)
    folder: Path  # of the XML file


@dataclass
class GapFile:
    """What evaluation needs of a GAP potential; energies in eV."""

    path: Path
    label: str
    version: int  # of the program that wrote it, seconds since 1970; 0: unknown
    e0: dict[int, float]
    e_scale: float
    coordinates: list[Coordinate]
    glue: Element | None
    trained_on: set[int]  # atomic numbers of the training structures inside the file
    warnings: list[str] = field(default_factory=list)


def read_gap(path: str | Path, label: str | None = None) -> GapFile:
    """Read a potential; ``label`` picks the Potential of one of several in a file, by default that
    named like the file's outermost element, or the first.

    Raises SoapGprError when a file is damaged or missing, or holds what cannot be imported.
    """
    path = Path(path)
    root = read_xml(path)
    glue, own_label, e_scale = _potential(root, path, label)
    label = own_label or label
    parameters = _labelled(root, "GAP_params", label, path)
    data = parameters.first("GAP_data")
    if data is None:
        raise SoapGprError(f"{path}: found no GAP_data in GAP_params")
    sparse = _labelled(parameters, "gpSparse", label, path)
    if sparse.attributes.get("fitted", "T") == "F":
        raise SoapGprError(f"{path}: found a potential that was not fitted (fitted=F)")
    coordinates = [_coordinate(item, path) for item in sparse.all("gpCoordinates")]
    expected = int(_number(sparse, "n_coordinate", path, default=len(coordinates)))
    if expected != len(coordinates):
        raise SoapGprError(
            f"{path}: found {len(coordinates)} gpCoordinates, expected n_coordinate = {expected}"
        )
    return GapFile(
        path=path,
        label=parameters.attributes.get("label", ""),
        version=int(_number(parameters, "gap_version", path, default=0)),
        e0=_e0(data, path),
        e_scale=e_scale,
        coordinates=coordinates,
        glue=glue,
        trained_on=_species(parameters),
    )


def _potential(
    root: Element, path: Path, wanted: str | None
) -> tuple[Element | None, str | None, float]:
    """The Glue_params that belong to it, the label of the GAP part, and its E_scale."""
    found = list(root.walk("Potential"))
    if not found:
        return None, None, 1.0
    if wanted is None:
        named = [item for item in found if item.attributes.get("label") == root.name]
        potential = (named or found)[0]
    else:
        potential = _labelled(root, "Potential", wanted, path)
    glue: Element | None = None
    label, scale = None, 1.0
    waiting = [potential.attributes.get("init_args", "")]
    while waiting:
        alone, values = _options(waiting.pop(), path)
        kind = " ".join(alone[:2])
        if alone[:1] == ["Sum"]:
            waiting += [values.get(f"init_args_pot{k}", "") for k in (1, 2)]
        elif kind == "IP GAP":
            label = values.get("label")
            scale *= number(f"{path}: E_scale", values.get("e_scale", "1"))
        elif kind == "IP Glue":
            glue = _labelled(root, "Glue_params", values.get("label"), path)
        else:
            raise SoapGprError(
                f"{path}: found the potential {kind!r}, expected IP GAP, alone or in a Sum with "
                "IP Glue; tabulate other pair potentials as pair_table of a new fit"
            )
    return glue, label, scale


def _options(text: str, where) -> tuple[list[str], dict[str, str]]:
    try:
        return options(text)
    except SoapGprError as error:
        raise SoapGprError(f"{where}: {error}") from None


def _labelled(root: Element, name: str, label: str | None, path: Path) -> Element:
    found = list(root.walk(name))
    chosen = [item for item in found if item.attributes.get("label") == label]
    if not found:
        raise SoapGprError(f"{path}: found no {name}, expected a GAP potential")
    if label is not None and not chosen and all("label" in item.attributes for item in found):
        labels = ", ".join(item.attributes["label"] for item in found)
        raise SoapGprError(f"{path}: found no {name} labelled {label}, but {labels}")
    return (chosen or found)[0]


def _e0(data: Element, path: Path) -> dict[int, float]:
    """Of every atomic number; a scalar of old files holds for all."""
    scalar = _number(data, "e0", path, default=0.0)
    energies = dict.fromkeys(range(1, 119), scalar)
    for item in data.all("e0"):
        z = _size(item, "Z", str(path))
        if z not in energies:
            raise SoapGprError(f"{path}: found an e0 of the atomic number {z}")
        energies[z] = _number(item, "value", path)
    return energies


def _coordinate(item: Element, path: Path) -> Coordinate:
    where = f"{path}: {item.attributes.get('label', 'gpCoordinates')}"
    if item.attributes.get("sparsified", "T") != "T":
        raise SoapGprError(f"{where}: found a Gaussian process without sparse points, of old files")
    descriptor = item.first("descriptor")
    if descriptor is None:
        raise SoapGprError(f"{where}: found no descriptor")
    kernel = KERNELS.get(_size(item, "covariance_type", where), "unknown")
    d = _size(item, "dimensions", where)
    n = _size(item, "n_sparseX", where)
    if d * n > MAX_VALUES:
        raise SoapGprError(f"{where}: found {n} sparse points of {d} numbers, which is too many")
    rows = list(item.all("sparseX"))
    if len(rows) != n:
        raise SoapGprError(f"{where}: found {len(rows)} sparse points, expected n_sparseX = {n}")
    theta_element = item.first("theta")
    theta = _numbers(theta_element.text if theta_element else "", f"{where}: theta")
    delta = _number(item, "signal_variance", where)
    if delta <= 0:
        raise SoapGprError(f"{where}: found signal_variance = {delta:g}, expected more than 0")
    zeta = None
    if kernel == "dot_product":
        legacy = float(theta[0]) if len(theta) else 1.0
        zeta = _number(item, "zeta", where, default=legacy)
    points = _points(item, rows, n, d, path.parent, where)
    return Coordinate(
        where=where,
        descriptor=" ".join(descriptor.text.split()),
        kernel=kernel,
        delta=delta,
        f0=_number(item, "signal_mean", where, default=0.0),
        zeta=zeta,
        theta=theta,
        permutations=_permutations(item, d, where) if n else [],
        alpha=np.array([_number(row, "alpha", where) for row in rows]),
        cutoffs=np.array([_number(row, "sparseCutoff", where, default=1.0) for row in rows]),
        points=points,
        folder=path.parent,
    )


def _points(item, rows, n, d, folder, where) -> np.ndarray:
    """(n, d) from the side file, or from the rows themselves."""
    name = item.attributes.get("sparseX_filename")
    if name:
        if not name.isprintable() or len(name) > 1000:
            raise SoapGprError(f"{where}: found {name[:60]!r}, which is no name of a file")
        file = folder / Path(name).name
        if not file.is_file():
            raise SoapGprError(f"{where}: the file of its sparse points, {file}, is missing")
        wanted = item.attributes.get("sparseX_md5sum")
        if wanted and wanted.strip().lower() != _md5(file):
            raise SoapGprError(f"{file}: not the file that {where} was written with (md5)")
        if file.stat().st_size < 2 * n * d - 1:
            raise SoapGprError(f"{file}: too short for {n} sparse points of {d} numbers")
        values = _numbers(file.read_text(errors="replace"), str(file))
        if len(values) != n * d:
            raise SoapGprError(f"{file}: found {len(values)} numbers, expected {n} x {d}")
        return values.reshape(n, d)
    points = [_inline(row, where) for row in rows]
    if any(len(point) != d for point in points):
        raise SoapGprError(f"{where}: found a sparse point that has not {d} numbers")
    return np.array(points).reshape(n, d)


def _inline(row: Element, where: str) -> np.ndarray:
    slices = list(row.all("sparseX_slice"))
    slices.sort(key=lambda part: _number(part, "start", where))
    return _numbers(" ".join([row.text, *(part.text for part in slices)]), where)


def _permutations(item: Element, d: int, where: str) -> list[np.ndarray]:
    found = []
    for element in item.all("permutation"):
        places = _numbers(element.text, where)
        if np.array_equal(np.sort(places), np.arange(1, d + 1)):
            found.append(places.astype(int) - 1)
        elif list(places) != [1]:
            raise SoapGprError(f"{where}: found a permutation that is none of 1 to {d}")
    return found or [np.arange(d)]


def _species(parameters: Element) -> set[int]:
    """Atomic numbers in lines such as ``Si 0.0 0.0 0.0 ...`` of the training structures."""
    found = set()
    for element in parameters.walk("XYZ_data"):
        for line in element.text.splitlines():
            words = line.split(maxsplit=2)
            if len(words) > 2 and atomic_numbers.get(words[0], 0) > 0:
                found.add(atomic_numbers[words[0]])
    return found


def _number(element: Element, key: str, where, default: float | None = None) -> float:
    text = element.attributes.get(key)
    if text is None:
        if default is None:
            raise SoapGprError(f"{where}: {element.name} lacks {key}")
        return default
    return number(f"{where}: {element.name} {key}", text)


def _size(element: Element, key: str, where: str) -> int:
    value = _number(element, key, where)
    if value != math.floor(value) or not 0 <= value <= 1e8:
        raise SoapGprError(f"{where}: found {key} = {value:g}, expected a count")
    return int(value)


def _numbers(text: str, where: str) -> np.ndarray:
    """All numbers of a text, which must all be finite."""
    try:
        values = np.array(text.split(), dtype=float)
    except ValueError:
        try:
            values = np.array(text.lower().replace("d", "e").split(), dtype=float)
        except ValueError:
            raise SoapGprError(f"{where}: found something else among its numbers") from None
    if not np.isfinite(values).all():
        raise SoapGprError(f"{where}: found a number that is not finite")
    return values


def _md5(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
