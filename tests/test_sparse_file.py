# SPDX-License-Identifier: BSD-3-Clause
"""Sparse points given by a file, and quotas by config_type, through the fit."""

import numpy as np
import pytest
from training_data import emt_frames, small_settings, write_frames

from potential.errors import SoapGprError
from potential.settings.file import load_settings
from potential.terms.features import features
from potential.training.fitting import fit

TABLES = [f"term0.sparse_points.{a}" for a in range(2)]


@pytest.fixture
def train(tmp_path):
    return write_frames(tmp_path / "train.xyz", emt_frames(8))


def from_file(train, file, **term):
    settings = small_settings(train, sparse_method="file", sparse_file=str(file), **term)
    del settings["terms"][0]["n_sparse"]
    return settings


def structure_of(atoms):
    return type("S", (), dict(numbers=atoms.numbers, positions=atoms.positions,
                              cell=atoms.cell.array, pbc=atoms.pbc))  # fmt: skip


def test_all_environments_of_structures_without_a_mark(tmp_path, train):
    other = emt_frames(3, seed=5)
    file = write_frames(tmp_path / "sparse.xyz", other)
    model = fit(from_file(train, file), progress=False).model
    expected = np.concatenate([features(model, 0, structure_of(atoms)) for atoms in other])
    numbers = np.concatenate([atoms.numbers for atoms in other])
    for name, z in zip(TABLES, model.species, strict=True):
        own, points = expected[numbers == z], model.arrays[name]
        assert len(points) == len(own)
        nearest = np.linalg.norm(points[:, None] - own, axis=2).min(axis=1)
        assert nearest.max() < 1e-6  # positions in the file are rounded


def test_record_has_the_hash_of_the_file(tmp_path, train):
    file = write_frames(tmp_path / "sparse.xyz", emt_frames(2, seed=5))
    assert file in fit(from_file(train, file), progress=False).provenance["sha256"]
    with pytest.raises(SoapGprError, match=r"none\.xyz: cannot be read: No such file"):
        missing = from_file(train, tmp_path / "none.xyz")
        fit(missing, progress=False, checkpoint=tmp_path / "fit.checkpoint")


def test_marked_atoms_alone(tmp_path, train):
    frames = emt_frames(3, seed=5)
    for atoms in frames:
        atoms.arrays["sparse"] = np.array([1, 0, 0, 0, 0, 0, 0, 1])
    file = write_frames(tmp_path / "sparse.xyz", frames)
    model = fit(from_file(train, file), progress=False).model
    assert model.n_weights == 6


def test_points_of_a_model_give_that_model_again(tmp_path, train):
    first = fit(small_settings(train, n_sparse=15), progress=False).model
    first.save(tmp_path / "first.sgpr")
    second = fit(from_file(train, tmp_path / "first.sgpr"), progress=False).model
    for name, array in first.arrays.items():
        assert np.array_equal(array, second.arrays[name]), name


def test_unusable_files_are_one_sentence(tmp_path, train):
    fit(small_settings(train, n_sparse=5, n_max=3), progress=False).model.save(tmp_path / "o.sgpr")
    with pytest.raises(SoapGprError, match=r"o\.sgpr: found no soap term with the basis"):
        fit(from_file(train, tmp_path / "o.sgpr"), progress=False)
    with pytest.raises(SoapGprError, match="missing"):
        fit(from_file(train, tmp_path / "missing.xyz"), progress=False)
    frames = emt_frames(1)
    frames[0].arrays["sparse"] = np.zeros(8, dtype=int)
    with pytest.raises(SoapGprError, match="found no marked atom with a neighbour"):
        fit(from_file(train, write_frames(tmp_path / "none.xyz", frames)), progress=False)
    frames[0].arrays["sparse"] = np.array(["a"] * 8)
    with pytest.raises(SoapGprError, match="that is not one number per atom"):
        fit(from_file(train, write_frames(tmp_path / "text.xyz", frames)), progress=False)


def test_the_file_is_looked_for_beside_the_settings(tmp_path, train):
    path = tmp_path / "fit.toml"
    text = '[data]\ntrain = "train.xyz"\n[[terms]]\nsparse_method = "file"\nsparse_file = "a.xyz"\n'
    path.write_text(text)
    assert load_settings(path).terms[0].sparse_file == str(tmp_path / "a.xyz")


def test_another_file_is_another_fit_for_checkpoints(tmp_path, train):
    file, checkpoint = tmp_path / "sparse.xyz", tmp_path / "state.npz"
    write_frames(file, emt_frames(2, seed=5))
    fit(from_file(train, file), progress=False, checkpoint=checkpoint)
    write_frames(file, emt_frames(2, seed=6))
    with pytest.raises(SoapGprError, match="found the checkpoint of a fit with other settings"):
        fit(from_file(train, file), progress=False, checkpoint=checkpoint)


def test_quotas_by_config_type(tmp_path):
    frames = emt_frames(12)  # even and odd config_types in turn
    for k, atoms in enumerate(frames):
        atoms.info["config_type"] = "rare" if k == 3 else "common"
    train = write_frames(tmp_path / "train.xyz", frames)
    settings = small_settings(train, n_sparse=6, n_sparse_config_type={"rare": 4})
    result = fit(settings, progress=False)
    rare = features(result.model, 0, structure_of(frames[3]))
    for name in TABLES:
        points = result.model.arrays[name]
        near = np.linalg.norm(points[:, None] - rare, axis=2).min(axis=1) < 1e-6
        assert len(points) == 6 and near[:4].all()
    settings = small_settings(train, n_sparse=6, n_sparse_config_type={"rares": 4})
    warnings = fit(settings, progress=False).warnings
    assert any("n_sparse_config_type: rares applies to no structure" in w for w in warnings)
