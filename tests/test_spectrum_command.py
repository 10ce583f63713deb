# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr spectrum: what it prints and writes, and what it refuses."""

import hashlib
import json

import numpy as np
import pytest
import series_files

from potential.cli import main

N = 6000


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """With dipoles and polarizabilities of a line at 1000 cm⁻¹ and noise, 0.5 fs apart."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    line = np.cos(2 * np.pi * 2.99792458e-5 * 1000 * 0.5 * np.arange(N))[:, None]
    np.save("mu.npy", line * [1.0, 0.5, 0.0] + 0.01 * rng.normal(size=(N, 3)))
    alpha = line * [2.0, 0, 0, 0, 1, 0, 0, 0, 1] + 0.01 * rng.normal(size=(N, 1))
    np.save("alpha.npy", alpha)
    series_files.write_extras(tmp_path / "sim.dipole_0", np.load("mu.npy"), stride=1)
    return tmp_path


INFRARED = ["spectrum", "infrared", "mu.npy", "--unit", "e*angstrom", "--timestep", "0.5"]
INFRARED += ["--temperature", "300", "--resolution", "50"]
RAMAN = ["spectrum", "raman", "alpha.npy", "--unit", "angstrom^3", "--timestep", "0.5"]
RAMAN += ["--temperature", "300", "--resolution", "50"]


def test_infrared_writes_columns_a_plot_and_its_provenance(folder, capsys):
    files = ["-o", "ir.txt", "--plot", "ir.svg", "--json", "ir.json", "--title", "A line"]
    assert main([*INFRARED, "--volume", "1000", *files]) == 0
    out, err = capsys.readouterr()
    assert "resolution 50 cm^-1" in out and "quantum correction harmonic, 300 K" in out
    row = next(line.split() for line in out.splitlines() if line.startswith("absorption"))
    assert float(row[1]) == pytest.approx(1000, abs=10)
    assert [f"wrote {name}" in err for name in ("ir.txt", "ir.svg", "ir.json")] == [True] * 3
    table, record = np.loadtxt("ir.txt"), json.loads((folder / "ir.json").read_text())
    head = [own for own in (folder / "ir.txt").read_text().splitlines() if own[0] == "#"]
    assert head[-1] == "# wavenumber absorption absorption_error"
    assert head[0] == "# infrared: n(ω) α(ω) in cm^-1, wavenumbers in cm^-1"
    np.testing.assert_allclose(table[:, 0], record["wavenumbers"], rtol=1e-9)
    curve = record["curves"]["absorption"]
    np.testing.assert_allclose(table[:, 1:].T, [curve["values"], curve["errors"]], rtol=1e-9)
    assert table[-1, 0] <= 4500 and record["conditions"]["volume"] == 1000
    digest = hashlib.sha256((folder / "mu.npy").read_bytes()).hexdigest()
    assert record["files"] == {"mu.npy": digest} and record["estimate"]["window"] == "hann"
    picture = (folder / "ir.svg").read_text()
    assert "<svg" in picture and "A line" in picture


def test_raman_writes_four_curves(folder, capsys):
    assert main([*RAMAN, "--laser", "532", "-o", "raman.txt", "--plot", "raman.png"]) == 0
    table = np.loadtxt("raman.txt")
    assert table.shape[1] == 9 and "VV" in capsys.readouterr().out
    np.testing.assert_allclose(table[:, 5], table[:, 1] + 2 / 15 * table[:, 3], rtol=1e-8)
    assert (folder / "raman.png").read_bytes()[:4] == b"\x89PNG"


def test_power_needs_no_units(folder, capsys):
    words = ["spectrum", "power", "sim.dipole_0", "--timestep", "0.5", "--lag", "0.5"]
    assert main([*words, "--max-wavenumber", "1e5", "--padding", "1", "--json", "-"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["n_lags"] == 1000 and record["n_blocks"] == 3 and len(record["notes"]) == 1
    density = np.array(record["curves"]["density"]["values"])
    total = (2 * density.sum() - density[0] - density[-1]) * record["wavenumbers"][1]
    assert total == pytest.approx((np.load("mu.npy") ** 2).sum() / N, rel=1e-6)


def test_few_blocks_are_said(folder, capsys):
    assert main([*INFRARED, "--resolution", "23"]) == 0
    out, err = capsys.readouterr()
    assert "warning: there is one block: nothing says how large the errors are" in err
    assert next(own for own in out.splitlines() if own[:10] == "absorption").split()[-1] == "-"
    assert main([*INFRARED, "--resolution", "50", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert "warning: errors come from 2 blocks" in err
    assert main([*INFRARED, "--resolution", "23", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["curves"]["absorption"]["errors"] is None


def test_factors_that_path_integrals_do_not_have_are_said(folder, capsys):
    words = ["spectrum", "infrared", "mu.npy", "mu.npy", "--beads", "2", *INFRARED[3:]]
    assert main([*words, "--quantum", "schofield"]) == 0
    assert "for which 'harmonic' is exact, not 'schofield'" in capsys.readouterr().err


REFUSED = {
    "no temperature": (INFRARED[:7], "expected --temperature in K"),
    "a laser": ([*INFRARED, "--laser", "532"], "found --laser, on which infrared spectra do"),
    "a volume": ([*RAMAN, "--volume", "10"], "found --volume, on which raman spectra do not"),
    "not used": ([*RAMAN, "--quantum", "none"], "found --temperature, on which raman spectra"),
    "two lags": ([*INFRARED, "--lag", "1"], "found --lag and --resolution, expected one of them"),
    "a title": ([*INFRARED, "--title", "x"], "found --title without --plot, expected both"),
    "an image": ([*INFRARED, "--plot", "ir.xyz"], "found the ending 'xyz'"),
    "itself": ([*INFRARED, "-o", "mu.npy"], "mu.npy: is the file to read, expected another name"),
    "too fine": ([*INFRARED, "--resolution", "1"], "found a trajectory of"),
    "power": (
        ["spectrum", "power", "mu.npy", "--timestep", "1", "--quantum", "none"],
        "found --quantum, which a power spectrum has not, expected none",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_in_one_sentence(folder, capsys, name):
    words, message = REFUSED[name]
    before = sorted(folder.iterdir())
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert message in err and err.count("\n") == 1 and out == ""
    assert sorted(folder.iterdir()) == before
