# SPDX-License-Identifier: BSD-3-Clause
"""Files appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from potential.errors import SoapGprError


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """A temporary name in the same folder and with the same ending, renamed to path at the end.

    Raises SoapGprError when the folder does not exist or cannot be written to.
    """
    path = Path(path)
    require_folder(path)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix="." + path.name)
    except OSError as error:
        raise SoapGprError(f"{path}: cannot be written: {error.strerror}") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def require_folder(path: str | Path) -> None:
    """Raise SoapGprError unless a file could be created at path; for use before long work."""
    path = Path(path)
    if path.is_dir():
        raise SoapGprError(f"{path}: found a folder, expected the name of a file to write")
    if not path.parent.is_dir():
        raise SoapGprError(f"{path}: cannot be written: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise SoapGprError(f"{path}: cannot be written: no permission in {path.parent}")


def require_other_file(path: str | Path, *sources: str | Path) -> None:
    """Raise SoapGprError when writing to path would replace a file that is read."""
    path = Path(path)
    for source in map(Path, sources):
        if path.exists() and source.exists() and path.samefile(source):
            raise SoapGprError(f"{path}: is the file to read, expected another name to write to")
