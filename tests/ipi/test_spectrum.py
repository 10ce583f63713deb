# SPDX-License-Identifier: BSD-3-Clause
"""Spectra of what a real i-PI writes, and i-PI's own autocorrelation tool beside ours."""

import json

import numpy as np
import pytest
from ase import Atoms
from ipi_runs import Run, find_program, read_binary

from potential.cli import main
from potential.spectra.correlation import autocorrelation, window
from potential.spectra.estimate import CM_PER_FS
from potential.spectra.read import read_series

compute_acf_xyz = pytest.importorskip("ipi.utils.tools.acf_xyz").compute_acf_xyz
unit_to_internal = pytest.importorskip("ipi.utils.units").unit_to_internal

PES = """
import json
import numpy as np
from ipi.pes.dummy import Dummy_driver

__DRIVER_NAME__ = "springs"
__DRIVER_CLASS__ = "Springs"


class Springs(Dummy_driver):
    \"\"\"A spring to the origin for each atom; the dipole is q = +1, -1 times positions.\"\"\"

    def compute_structure(self, cell, pos):
        dipole = pos[0] - pos[1]
        extras = {"dipole": dipole.tolist(), "polarizability": np.outer(dipole, dipole).tolist()}
        return 0.05 * (pos**2).sum(), -0.1 * pos, np.zeros((3, 3)), json.dumps(extras)
"""
OUTPUTS = """
<trajectory filename="mu" stride="2" extra_type="dipole">extras</trajectory>
<trajectory filename="alpha" stride="2" extra_type="polarizability">extras</trajectory>
"""
ROWS = {"none": "none", "hann": "cosine-hanning", "hamming": "cosine-hamming"}
ROWS |= {"blackman": "cosine-blackman", "bartlett": "triangle-bartlett"}


@pytest.mark.skipif(find_program("i-pi") is None, reason="i-PI is not installed")
def test_extras_that_ipi_writes_are_read(tmp_path, monkeypatch, capsys):
    (tmp_path / "springs.py").write_text(PES)
    direct = f'<ffdirect name="model"><pes>custom</pes><pes_path>{tmp_path}/springs.py</pes_path>'
    atoms = Atoms("H2", [[0.1, 0, 0], [0.3, 0, 0.1]], cell=[9, 9, 9], pbc=True)
    run = Run(tmp_path, atoms, 2, 400, forcefield=f"{direct}</ffdirect>", outputs=OUTPUTS)
    with run:
        run.wait()
    charges = np.array([1.0, -1.0])
    for b in range(2):
        values = read_series(str(tmp_path / f"out.mu_{b}"), 3)
        assert values.steps.tolist() == list(range(0, 401, 2))
        positions = read_binary(tmp_path / f"out.pos_{b}.bin", 401)[::2]
        expected = np.einsum("a,tax->tx", charges, positions) * 1.8897261
        np.testing.assert_allclose(values.values, expected, rtol=1e-6, atol=1e-8)
        alpha = read_series(str(tmp_path / f"out.alpha_{b}"), 9).values.reshape(-1, 3, 3)
        outer = values.values[:, :, None] * values.values[:, None, :]
        np.testing.assert_allclose(alpha, outer, rtol=1e-12)
    monkeypatch.chdir(tmp_path)
    words = ["out.mu_0", "out.mu_1", "--beads", "2", "--unit", "a.u.", "--timestep", "0.25"]
    words += ["--temperature", "300", "--resolution", "1000", "--padding", "20", "--json", "-"]
    assert main(["spectrum", "infrared", *words]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["time_step"] == 0.5 and record["inputs"]["beads"] == 2
    # the mean over beads is the centroid, a particle on a spring of 0.1 atomic units
    omega = np.sqrt(0.1 / (atoms.get_masses()[0] * 1822.8885))
    peak = np.argmax(record["curves"]["absorption"]["values"])
    assert record["wavenumbers"][peak] == pytest.approx(omega * 219474.63, rel=0.02)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("padding", [1, 3])
def test_densities_are_those_of_ipis_autocorrelation_tool(tmp_path, monkeypatch, name, padding):
    monkeypatch.chdir(tmp_path)
    n_lags, block, n_blocks, time_step = 25, 60, 4, 0.5
    series = np.random.default_rng(3).normal(size=(block * n_blocks, 3))
    np.save("series.npy", series)
    write_velocities("series.xyz", series)
    theirs = compute_acf_xyz(
        "series.xyz",
        n_lags,
        block_length=block,
        length_zeropadding=(padding - 1) * n_lags,
        spectral_windowing=ROWS[name],
        timestep=time_step,
        time_units="femtosecond",
    )
    _, correlation, _, omega, density, scatter = theirs
    lag, length = (f"{1e-3 * n * time_step}" for n in (n_lags, block))
    words = ["power", "series.npy", "--timestep", f"{time_step}", "--lag", lag, "--block", length]
    words += ["--window", name, "--padding", f"{padding}", "--circular", "--json", "ours.json"]
    assert main(["spectrum", *words, "--max-wavenumber", "1e6"]) == 0
    record = json.loads((tmp_path / "ours.json").read_text())
    ours = record["curves"]["density"]
    n = padding * n_lags + 1
    # theirs is over angular frequencies in atomic units, of both signs
    fs = unit_to_internal("time", "femtosecond", 1.0)
    per_cm = 2 * np.pi * CM_PER_FS / fs
    np.testing.assert_allclose(np.array(record["wavenumbers"]) * per_cm, omega[:n], rtol=1e-13)
    scale = np.abs(density).max() * per_cm
    np.testing.assert_allclose(ours["values"], density[:n] * per_cm, rtol=1e-11, atol=1e-13 * scale)
    # their scatter is that of blocks, ours the error of the mean
    expected = scatter[:n] * per_cm / np.sqrt(n_blocks - 1)
    np.testing.assert_allclose(ours["errors"], expected, rtol=1e-11, atol=1e-13 * scale)
    blocks = series.reshape(n_blocks, block, 3)
    own = np.mean([autocorrelation(one, n_lags, circular=True) for one in blocks], axis=0)
    unit = time_step * fs / (2 * np.pi)
    np.testing.assert_allclose(own * unit, correlation, rtol=1e-11, atol=1e-13 * unit)
    assert len(window(name, n_lags)) == len(correlation)


def write_velocities(path, series):
    """As a trajectory of velocities of one atom."""
    rows = (f"1\n# Step: {k}\nH {x:.17g} {y:.17g} {z:.17g}\n" for k, (x, y, z) in enumerate(series))
    with open(path, "w") as stream:
        stream.writelines(rows)
