# SPDX-License-Identifier: BSD-3-Clause
"""Spectra as columns of text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from potential.runtime.output import atomic_file
from potential.runtime.printable import printable
from potential.runtime.text_table import text_table
from potential.spectra.compute import Result


def write_columns(path: str | Path, result: Result) -> None:
    """Wavenumbers in cm⁻¹, then each curve and its standard error, below a head that says what
    they are. Raises SoapGprError when the file cannot be written."""
    spectrum = result.spectrum
    columns = [spectrum.wavenumbers]
    names = ["wavenumber"]
    for curve in spectrum.curves:
        columns += [curve.values, curve.errors]
        names += [curve.name, f"{curve.name}_error"]
    files = " ".join(printable(file) for file in result.inputs.files)
    head = [
        f"{spectrum.kind}: {spectrum.quantity} in {spectrum.unit}, wavenumbers in cm^-1",
        f"files: {files}",
        *result.summary(),
        " ".join(names),
    ]
    with atomic_file(path) as temporary:
        np.savetxt(
            temporary, np.column_stack(columns), "%.10e", header="\n".join(head), encoding="utf-8"
        )


def format_result(result: Result) -> str:
    """What was done, and the highest maxima of each curve."""
    rows = []
    for curve in result.spectrum.curves:
        for k in highest(curve.values):
            error = curve.errors[k]
            rows.append(
                [
                    curve.name,
                    f"{result.spectrum.wavenumbers[k]:.1f}",
                    f"{curve.values[k]:.4g}",
                    "-" if np.isnan(error) else f"{error:.2g}",
                ]
            )
    head = ["maximum of", "cm^-1", result.spectrum.unit, "error"]
    lines = "\n".join(result.summary())
    return f"{lines}\n\n{text_table(head, rows, left=(0,))}" if rows else lines


def highest(values: np.ndarray, n: int = 5) -> list[int]:
    """Indices of up to n highest maxima (n_points,), in their order, none below a twentieth of the
    highest."""
    inner = np.flatnonzero((values[1:-1] > values[:-2]) & (values[1:-1] >= values[2:])) + 1
    inner = inner[values[inner] > 0.05 * values.max()]
    return sorted(int(k) for k in inner[np.argsort(-values[inner])][:n])
