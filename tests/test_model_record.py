# SPDX-License-Identifier: BSD-3-Clause
"""Settings and provenance of model files: whatever they hold, every command ends in a sentence."""

import argparse
import json
import random

import pytest
from model_bytes import change_metadata
from models import random_model
from mutations import paths, replaced
from training_data import emt_frames, small_settings, write_frames

from potential import Model, SoapGprError
from potential.cli import main
from potential.cli.label_options import KEYS, label_keys
from potential.reports.page import Page
from potential.reports.report import add_model
from potential.training.fitting import fit

VALUES = [None, 0, -1, 1e308, "x", [], {}, True, [1, 2], {"a": 1}, "\0", "\x1b[31m", "\ud800"]
VALUES += ["<script>alert(1)</script>", 10**30, [[]], "a\nb"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A fitted model, with the keys that compression, warnings and times add, and data."""
    folder = tmp_path_factory.mktemp("record")
    train = write_frames(folder / "train.xyz", emt_frames(4))
    model = fit(small_settings(train, test=[train], n_sparse=4), progress=False).model
    record = model.metadata["provenance"] | {
        "compression": {"tolerance": 1e-5, "deviation": {"force": 1e-6}},
        "warnings": ["something is odd"],
        "seconds": {"rows": 1.5},
    }
    model.with_record(provenance=record).save(folder / "model.sgpr")
    return folder


@pytest.fixture
def run(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)

    def run(line):
        code = main(line.split())
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def change(folder, **records):
    """Writes changed.sgpr with other settings or provenance, JSON text or values."""
    data = (folder / "model.sgpr").read_bytes()
    texts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in records.items()
    }
    (folder / "changed.sgpr").write_bytes(change_metadata(data, **texts))


def check_commands(run, folder):
    """All readers of the records; returns whether they refused them."""
    codes = []
    for line in ("info changed.sgpr", "info changed.sgpr --json"):
        code, out, err = run(line)
        codes.append(code)
        assert out.replace("\n", "").isprintable()
        out.encode()
        assert code == 0 or (err.startswith("soap-gpr: error: changed.sgpr: ") and not out), err
        assert err.count("\n") == code
    try:
        model = Model.load(folder / "changed.sgpr")
        label_keys(
            argparse.Namespace(**dict.fromkeys(KEYS), energy_unit=None),
            model.metadata["settings"].get("data", {}),
        )
        page = Page("model")
        add_model(page, model)
        assert "<script>" not in page.html()
        page.html().encode()
        codes.append(0)
    except SoapGprError:
        codes.append(1)
    assert len(set(codes)) == 1
    return codes[0] == 1


@pytest.mark.parametrize("key", ["settings", "provenance"])
def test_odd_values_end_in_one_sentence_or_are_shown(folder, run, key):
    record, rng = Model.load(folder / "model.sgpr").metadata[key], random.Random(0)
    outcomes = []
    for path in paths(record):
        for new in [*rng.sample(VALUES, 4), *([...] if path else [])]:
            changed = replaced(record, path, new)
            change(folder, **{key: json.dumps(changed)})
            outcomes.append(check_commands(run, folder))
    assert {True, False} == set(outcomes) and len(outcomes) > 150


@pytest.mark.parametrize(
    ("key", "path", "new", "message"),
    [
        ("settings", (), [1], "the settings are not readable, expected JSON"),
        ("settings", ("data",), 3, "settings.data: found 3, expected a table"),
        ("settings", ("data", "energy_key"), 3, "energy_key: found 3, expected a string or null"),
        ("provenance", ("train", "atoms"), "x", 'train.atoms: found "x", expected a number'),
        ("provenance", ("train", "config_types"), [], "config_types: found [], expected a table"),
        ("provenance", ("sha256",), {"a\x1b[m": 1}, "sha256.a\\x1b[m: found 1, expected a string"),
        ("provenance", ("condition_number",), True, "condition_number: found true, expected a nu"),
        ("provenance", ("weights",), 10**30, "expected a number"),
        ("provenance", ("test_errors", "errors", "all", "force"), {}, "force: lacks the key count"),
        ("provenance", ("warnings",), "x", 'warnings: found "x", expected a list'),
        ("provenance", ("warnings",), [1], "warnings[0]: found 1, expected a string"),
        ("provenance", ("compression",), {}, "compression: lacks the key deviation"),
    ],
)
def test_values_of_another_type_are_named(folder, run, key, path, new, message):
    record = Model.load(folder / "model.sgpr").metadata[key]
    change(folder, **{key: replaced(record, path, new)})
    for line in ("info", "info --json", "evaluate", "report", "compress -o smaller.sgpr"):
        command, *options = line.split()
        data = [] if command == "info" else ["train.xyz"]
        code, _, err = run(" ".join([command, "changed.sgpr", *data, *options]))
        assert code == 1 and err.count("\n") == 1 and message in err, (line, err)
    assert not (folder / "smaller.sgpr").exists()


@pytest.mark.parametrize("key", ["settings", "provenance"])
@pytest.mark.parametrize("depth", [40, 990, 100_000])
def test_deep_nesting_is_refused(folder, run, key, depth):
    change(folder, **{key: '{"a":' + "[" * depth + "]" * depth + "}"})
    assert check_commands(run, folder)


@pytest.mark.parametrize("key", ["settings", "provenance"])
@pytest.mark.parametrize("text", ["{", "", "nul", "9" * 5000, '{"weights": ' + "9" * 5000 + "}"])
def test_what_is_not_json_is_refused(folder, run, key, text):
    change(folder, **{key: text})
    assert check_commands(run, folder)


def test_arrays_of_many_dimensions_end_in_one_sentence(folder, run):
    from model_bytes import header_of, with_header

    header, payload = header_of((folder / "model.sgpr").read_bytes())
    parsed = json.loads(header)
    place = [len(payload), len(payload) + 8]
    parsed["z"] = {"dtype": "F64", "shape": [1] * 1000, "data_offsets": place}
    (folder / "changed.sgpr").write_bytes(with_header(parsed, payload + bytes(8)))
    code, _, err = run("info changed.sgpr")
    assert code == 1 and "array 'z' has 1000 dimensions" in err


def test_names_of_terms_and_config_types_are_escaped(folder, run):
    record = Model.load(folder / "model.sgpr").metadata["provenance"]
    record["train"]["config_types"] = {"red\x1b[31m": 2, "two\nlines": 2}
    change(folder, provenance=record)
    code, out, _ = run("info changed.sgpr")
    assert code == 0 and "red\\x1b[31m 2, two\\nlines 2" in out


def test_records_of_other_programs_pass():
    record = {"program": "other 1.0", "train": {"structures": 3}, "notes": [1, {"a": None}]}
    data = change_metadata(random_model().to_bytes(), provenance=json.dumps(record))
    assert Model.from_bytes(data).metadata["provenance"] == record
