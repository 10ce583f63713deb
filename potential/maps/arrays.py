# SPDX-License-Identifier: BSD-3-Clause
"""Features, kernels and distances in files, written block by block: in the memory of one block."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
import numpy as np

from potential.errors import SoapGprError
from potential.maps.catalogue import Catalogue
from potential.runtime.output import atomic_file

NPZ, HDF5, XYZ, PNG = (".npz",), (".h5", ".hdf5"), (".xyz", ".extxyz"), (".png",)
FEATURES = "features"  # column of atoms, or value of a frame
RECORD = "record"  # what an array is of, as JSON


@dataclass(frozen=True)
class Table:
    """A large array (n_rows, n_columns) that comes in blocks of rows, with arrays that say what its
    rows and columns are, and a record of what it is of."""

    name: str
    shape: tuple[int, int]
    blocks: Iterable[np.ndarray]
    labels: Mapping[str, np.ndarray]
    record: Mapping[str, Any]


def require_format(path: str | Path, *allowed: Sequence[str]) -> str:
    """The ending of the name. Raises SoapGprError for one that is not allowed, and for HDF5 where
    h5py is not installed."""
    ending, endings = Path(path).suffix.lower(), [name for names in allowed for name in names]
    if ending not in endings:
        raise SoapGprError(f"{path}: found the ending {ending!r}, expected {' or '.join(endings)}")
    if ending in HDF5:
        _h5py(path)
    return ending


def write_table(path: str | Path, table: Table) -> None:
    """Write .npz or .h5 in one step. Raises SoapGprError when that is impossible, and as
    ``require_format`` does."""
    ending = require_format(path, NPZ, HDF5)
    with atomic_file(path) as temporary:
        (_write_npz if ending in NPZ else _write_hdf5)(temporary, table)


def write_xyz(
    path: str | Path,
    catalogue: Catalogue,
    blocks: Iterable[np.ndarray],
    names: Mapping[str, Sequence[str]],
    record: Mapping[str, Any],
) -> None:
    """Extended XYZ of the frames as they are, with features (N, n_features) as a column of the
    atoms or (1, n_features) as a value of the frame.

    The first frame says what the columns are: ``feature_columns`` and ``feature_record``, in JSON.
    Raises SoapGprError when it cannot be written, and where frames have features already.
    """
    found = zip(catalogue.frames, catalogue.structures, blocks, strict=True)
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for k, (frame, structure, block) in enumerate(found):
            atoms = frame.copy()
            atoms.calc = frame.calc
            place: dict[str, Any] = atoms.arrays if catalogue.per_atom else atoms.info
            if FEATURES in place:
                raise SoapGprError(f"{structure.source}: has {FEATURES!r} already, expected none")
            place[FEATURES] = block if catalogue.per_atom else block[0]
            if k == 0:
                atoms.info["feature_columns"] = json.dumps(names, ensure_ascii=False)
                atoms.info["feature_record"] = json.dumps(record, ensure_ascii=False)
            ase.io.write(stream, atoms, format="extxyz")


def _write_npz(path: Path, table: Table) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        record = np.array(json.dumps(table.record, ensure_ascii=False))
        for name, array in {**table.labels, RECORD: record}.items():
            with archive.open(f"{name}.npy", "w") as stream:
                np.lib.format.write_array(stream, np.asarray(array), allow_pickle=False)
        header = {"descr": "<f8", "fortran_order": False, "shape": table.shape}
        with archive.open(f"{table.name}.npy", "w", force_zip64=True) as stream:
            np.lib.format.write_array_header_2_0(stream, header)
            for block in table.blocks:
                stream.write(np.ascontiguousarray(block, dtype="<f8").tobytes())


def _write_hdf5(path: Path, table: Table) -> None:
    h5py = _h5py(path)
    with h5py.File(path, "w") as file:
        for name, array in table.labels.items():
            words = array.dtype.kind == "U"
            file.create_dataset(
                name,
                data=array.astype(object) if words else array,
                dtype=h5py.string_dtype() if words else None,
            )
        main, begin = file.create_dataset(table.name, table.shape, dtype="f8"), 0
        for block in table.blocks:
            main[begin : begin + len(block)] = block
            begin += len(block)
        main.attrs[RECORD] = json.dumps(table.record, ensure_ascii=False)


def _h5py(path: str | Path):
    try:
        import h5py
    except ImportError:
        raise SoapGprError(
            f"{path}: HDF5 files need the package h5py, which is not installed"
        ) from None
    return h5py
