# SPDX-License-Identifier: BSD-3-Clause
"""Where a model comes from: the record that its file carries, and its summary for people."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from potential.model import TRIANGLE, Model
from potential.model.record import COUNTS, REGRESSION
from potential.model.targets import Target
from potential.runtime.printable import printable, printable_values
from potential.scores import metrics, properties
from potential.scores.shares import format_shares
from potential.settings import FitSettings
from potential.structures.label_table import FORCE
from potential.structures.read import file_hashes
from potential.structures.structure import Structure, symbol
from potential.tensors.spherical import Part, parts_of
from potential.terms import terms_of
from potential.training.data import FitData
from potential.training.regression import Solution
from potential.uncertainty.calibration import format_quality
from potential.uncertainty.calibration import parts as measured_parts
from potential.version import package_version


def provenance(
    settings: FitSettings,
    data: FitData,
    model: Model,
    train_errors: metrics.Errors,
    test_errors: metrics.Errors,
) -> dict[str, Any]:
    """Everything in plain JSON types; eV and Å, energies and virials per atom."""
    files = [*settings.data.train, *settings.data.test, *settings.other_files]
    return {
        **model.metadata["provenance"],  # of the choice of sparse points
        **made_now(),
        "settings_file": settings.file,
        **({"preset": data.preset} if data.preset else {}),
        "sha256": data.frames | file_hashes(files),
        "labels": data.names.to_dict(),
        "train": counts(data.train),
        "test": counts(data.test),
        "sparse_points": [term.counts for term in terms_of(model)],
        "weights": model.n_weights,
        "train_errors": metrics.to_json(train_errors),
        "test_errors": metrics.to_json(test_errors),
    }


def made_now() -> dict[str, str]:
    """By what a model is made, and when."""
    return {
        "program": f"soap-gpr {package_version()}",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def solved(solution: Solution, n_rows: int, delta: float = 1.0) -> dict[str, Any]:
    """What a solution for so many labels says of itself; delta: of ``Parts.triangle``."""
    return {
        "fitted_labels": n_rows,
        "condition_number": solution.condition_number,
        "largest_weight": float(np.abs(solution.weights).max()),
        "residual_per_label": solution.residual / (n_rows * delta**2),
    }


def counts(structures: Sequence[Structure]) -> dict[str, Any]:
    """How many structures, atoms and labels of each kind; structures by config_type."""
    return {
        "structures": len(structures),
        "atoms": sum(len(s) for s in structures),
        "energies": sum(s.energy is not None for s in structures),
        "force_components": sum(int(np.isfinite(s.labels[FORCE.rows]).sum()) for s in structures),
        "virials": sum(s.virial is not None for s in structures),
        "config_types": dict(sorted(Counter(s.config_type for s in structures).items())),
    }


def summary(model: Model) -> str:
    """What there is to know about a model, and of its fit when it was fitted, as text."""
    record = printable_values(model.metadata["provenance"])
    parts = [
        _preset_lines(record),
        _data_lines(record),
        _unit_lines(model),
        _model_lines(model, record),
    ]
    for key, title in (("train_errors", "Training errors"), ("test_errors", "Test errors")):
        errors = metrics.from_json(record.get(key, {}))
        if errors.get(metrics.ALL):
            parts.append(["", metrics.format_table(errors, title)])
    for key, title in (("train", "Training"), ("test", "Test")):
        found = properties.from_plain(record.get(f"{key}_target_errors", {}))
        if found:
            table = properties.format_properties(model.targets, found, f"{title} errors of targets")
            parts.append(["", table])
    shares = record.get("term_shares")
    if shares and len(shares["terms"]) == len(model.terms):
        parts.append(["", format_shares(model, shares)])
    measured = record.get("uncertainty")
    if measured and measured_parts(measured):
        parts.append(["", format_quality(measured)])
    parts.append([f"warning: {warning}" for warning in record.get("warnings", [])])
    return "\n".join(line for part in parts for line in part)


def _preset_lines(record: dict[str, Any]) -> list[str]:
    return [f"{'Preset':<14s} {record['preset']}"] if "preset" in record else []


def _data_lines(record: dict[str, Any]) -> list[str]:
    lines = []
    for key, title in (("train", "Training data"), ("test", "Test data")):
        n = record.get(key, {})
        if n.keys() >= set(COUNTS) and n["structures"]:
            types = ", ".join(f"{name} {count}" for name, count in n["config_types"].items())
            lines.append(
                f"{title:<14s} {n['structures']} structures, {n['atoms']} atoms, "
                f"{n['energies']} energies, {n['force_components']} force components, "
                f"{n['virials']} virials"
            )
            if len(n["config_types"]) > 1:
                lines.append(f"{'':<14s} {types}")
    return lines


def _contraction_lines(record: dict[str, Any]) -> list[str]:
    lines = []
    for t, f, own in _adapted(record):
        if found := own.get("contraction"):
            numbers = (found[key] for key in ("kept", "channels", "retained_variance"))
            of_l = enumerate(zip(*numbers, strict=False))
            parts = [f"l={l} {kept}/{n} {variance:.6g}" for l, (kept, n, variance) in of_l]
            head = f"{_name(t, f)}, channels kept and their part of the variance: "
            lines.append(f"{'Contraction':<14s} {head}{', '.join(parts)}")
            if how := found.get("optimised"):
                lines.append(f"{'':<14s} {_name(t, f)}, optimised: {how}")
    return lines


def _adapted(record: dict[str, Any]) -> Iterator[tuple[int, int | None, dict[str, Any]]]:
    """What terms took from the data, by term and factor (None where there are none)."""
    for t, own in enumerate(record.get("terms", [])):
        if "factors" not in own:
            yield t, None, own
        for f, factor in enumerate(own.get("factors", ())):
            yield t, f, factor


def _residual(found: dict[str, Any]) -> str:
    return f"residual {100 * found['residual']:.2g} %"


def _name(t: int, f: int | None) -> str:
    return f"term {t + 1}" if f is None else f"term {t + 1}, factor {f + 1}"


def _unit_lines(model: Model) -> list[str]:
    unit = model.metadata["settings"].get("data", {}).get("energy_unit") or "eV"
    text = f"{'Units':<14s} labels were read in {unit} and are kept in eV"
    return [] if unit == "eV" else [text]


def _selection_lines(model: Model, record: dict[str, Any]) -> list[str]:
    lines = []
    for t, f, own in _adapted(record):
        if found := own.get("feature_selection"):
            at = f"term{t}." if f is None else f"term{t}.factor{f}."
            coupled = any(name.startswith(f"{at}recoupling") for name in model.arrays)
            of = f"of {found['features']} features by {found['method']}"
            if "species" in found:
                parts = [
                    f"{name} {own['kept']}, {_residual(own)}"
                    for name, own in found["species"].items()
                ]
                text = f"{of}: {'; '.join(parts)}"
            else:
                text = f"{found['kept']} {of}, {_residual(found)}"
            text += ", recoupled" * coupled
            lines.append(f"{'Selection':<14s} {_name(t, f)}, {text}")
    return lines


def _target_lines(model: Model, record: dict[str, Any]) -> list[str]:
    lines, found = [], {own["name"]: own for own in record.get("targets", [])}
    for h, target in enumerate(model.targets):
        terms = [
            t for t in range(len(model.terms)) if f"target{h}.term{t}.weights.0" in model.arrays
        ]
        what = "of atoms" if target.per_atom else f"of structures, {_over_atoms(model, target)}"
        unit = f" ({printable(target.unit)})" if target.unit else ""
        if target.kernel is not None:
            what = f"of structures, {'N times ' * target.extensive}{target.kernel}"
            terms = [target.kernel.term]
        if target.basis is not None:
            what = f"{target.form} {what}"
            terms = [model.tensor_bases[target.basis]["term"]]
        places = ", ".join(str(t + 1) for t in terms)
        line = f"{'Target':<14s} {target.name}{unit} {what}, terms {places}"
        if own := found.get(target.name):
            line += f"; {own['labels']} labels, {own['weights']} weights"
        lines.append(line)
        if target.basis is not None:
            lines.append(f"{'':<14s} {_basis_text(model, target)}")
        for key in ("mean", "scale", "sigma"):
            values = own[key].items() if own else ()
            text = ", ".join(f"{name} {value:.5g}" for name, value in values)
            lines += [f"{'':<14s} {key} {text}"] if text else []
    return lines


def _basis_text(model: Model, target: Target) -> str:
    """What a vector or tensor stands on."""
    b, entry = target.basis, model.tensor_bases[target.basis or 0]
    names = (f"basis{b}.densities.{a}" for a in range(len(model.species)))
    sizes = [len(model.arrays[name]) for name in names if name in model.arrays]
    shared = f"basis{b}.species" in model.arrays
    points = (
        str(sizes[0])
        if shared
        else ", ".join(f"{symbol(z)} {n}" for z, n in zip(model.species, sizes, strict=True))
    )
    wanted = parts_of(target.rank, target.symmetric)
    kept = [
        f"{part} {len(model.arrays[f'basis{b}.features.{p}'])}"
        for p, own in enumerate(entry["parts"])
        if (part := Part(own["lambda"], own["sigma"])) in wanted
    ]
    return f"zeta {entry['zeta']}, sparse points {points}, products of {', '.join(kept)}"


def _over_atoms(model: Model, target: Target) -> str:
    what = "sum over atoms" if target.extensive else "mean over atoms"
    if target.weight_column:
        return f"{what}, weights in column {printable(target.weight_column)}"
    weights = zip(map(symbol, model.species), target.weights or (), strict=False)
    text = ", ".join(f"{name} {weight:g}" for name, weight in weights)
    return f"{what}, weights {text}" if text else what


def _changes(model: Model, compression: dict[str, Any]) -> list[str]:
    """What a model has lost by its compression."""
    lines = []
    if "deviation" in compression:
        force = 1e3 * compression["deviation"]["force"]
        again = ", before weights were fitted again" * bool(compression.get("refitted"))
        lines.append(f"forces changed by at most {force:.2g} meV/Å{again}")
    units = {target.name: target.unit for target in model.targets}
    for name, own in compression.get("target_deviation", {}).items():
        largest = f"{own['largest']:.2g} {units.get(name, '')}".rstrip()
        share = f"{own['relative']:.1g} of its spread"
        lines.append(printable(f"{name} changed by at most {largest}, {share}"))
    return lines


def _noise_lines(record: dict[str, Any]) -> list[str]:
    """The noise levels that the fit has found."""
    lines = list[str]()
    for own in record.get("noise", []):
        levels = ", ".join(f"{key} {level:.4g}" for key, level in own["levels"].items())
        of = "" if own["config_type"] is None else f"{own['config_type']}: "
        lines.append(
            f"{'' if lines else 'Noise':<14s} {of}{levels}, found from {own['labels']} labels, "
            f"residual per label {own['residual_per_label']:.2f}"
        )
    if "delta_factor" in record:
        lines.append(f"{'':<14s} with {record['delta_factor']:.4g} times the delta of all terms")
    return lines


def _elimination_lines(record: dict[str, Any]) -> list[str]:
    """How many weights were left of all, and the error of labels that were left out."""
    found = record.get("elimination")
    if not found or not found["weights"] or len(found["weights"]) != len(found["errors"]):
        return []
    n = record.get("weights", 0)
    # a point or two more stay where a sparse set would have none
    error = next((e for m, e in zip(found["weights"], found["errors"], strict=False) if m <= n), 0)
    return [
        f"{'Elimination':<14s} {n} of {found['weights'][0]} sparse points, error of labels left "
        f"out {error:.3f} times that of all"
    ]


def _uncertainty_lines(model: Model, record: dict[str, Any]) -> list[str]:
    """Which measures the model has."""
    own, measured = model.uncertainty, record.get("uncertainty")
    if own is None:
        return []
    measures = [f"committee of {own.n_members}"] if own.n_members else []
    measures += ["variance", "rigidity"] if own.variance else []
    text = f"{'Uncertainty':<14s} {', '.join(measures)}"
    if measured:
        text += f"; {measured['blocks']} blocks of structures by {measured['kind']}"
    return [text]


def _model_lines(model: Model, record: dict[str, Any]) -> list[str]:
    e0 = ", ".join(f"{symbol(z)} {energy:.6f} eV" for z, energy in model.e0.items())
    lines = [f"{'e0':<14s} {e0}" if model.has_potential else f"{'Potential':<14s} none"]
    lines += [f"{t.title:<14s} {t.contents} ({t.description})" for t in terms_of(model)]
    lines += _contraction_lines(record) + _selection_lines(model, record)
    lines += _target_lines(model, record)
    if record.keys() >= set(REGRESSION):
        lines.append(
            f"{'Regression':<14s} {record['fitted_labels']} labels, {record['weights']} weights, "
            f"condition number {record['condition_number']:.1e}, "
            f"residual per label {record['residual_per_label']:.2f}"
        )
    lines += _elimination_lines(record) + _noise_lines(record) + _uncertainty_lines(model, record)
    if TRIANGLE in model.arrays:
        R = model.arrays[TRIANGLE]
        lines.append(
            f"{'Factor':<14s} triangle of the regression, {len(R)} × {len(R)}, "
            f"{R.nbytes / 2**20:.1f} MiB"
        )
    for t, term in enumerate(model.terms):
        lines += [
            f"{'Compressed':<14s} {model.sparse_set_name(t, a)}: {projection.shape[1]} features to "
            f"{projection.shape[0]} dimensions ({term['kind']}, cutoff {term['cutoff']:g} Å)"
            for a in range(len(model.species))
            if (projection := model.arrays.get(f"term{t}.projection.{a}")) is not None
        ]
    lines += [f"{'':<14s} {line}" for line in _changes(model, record.get("compression", {}))]
    seconds = record.get("seconds", {})
    if seconds:
        steps = ", ".join(f"{step} {value:.1f} s" for step, value in seconds.items())
        lines.append(f"{'Time':<14s} {steps}")
    return lines
