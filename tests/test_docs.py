# SPDX-License-Identifier: BSD-3-Clause
"""The documents say what the code does: settings, equation numbers, file format, examples."""

import importlib.util
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from kernel_targets import with_kernel_target
from models import body_order_model, random_model
from targets import with_targets
from uncertain import with_members

from potential import settings
from potential.basis.settings import SCALING
from potential.cli import COMMANDS, make_parser
from potential.schema.settings import REQUIRED, default, keys
from potential.settings.file import parse_settings

pytestmark = pytest.mark.check

ROOT = Path(__file__).parents[1]
if not (ROOT / "docs").is_dir():
    pytest.skip("the documents are not here", allow_module_level=True)

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")])
SOURCES = [
    path
    for folder in ("potential", "lammps_plugin", "ipi_driver", "tests", "benchmarks", "examples")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".cpp", ".hpp", ".h") and path != Path(__file__)
]

# heading in docs/fit_toml.md: the classes behind its tables
TABLES = {
    "[data]": [settings.DataSettings],
    "[baseline]": [settings.BaselineSettings, settings.ZblSettings],
    "[[terms]]": [
        settings.SoapTermSettings,
        settings.AlchemySettings,
        settings.OptimiseSettings,
        settings.ContractionSettings,
        settings.FeatureSelection,
    ],
    '[[terms]] kind = "acsf"': [settings.SymmetryTermSettings],
    '[[terms]] kind = "product"': [settings.ProductTermSettings, settings.FactorSettings],
    '[[terms]] kind = "pair"': [settings.PairTermSettings],
    '[[terms]] kind = "triplet"': [settings.TripletTermSettings],
    "[noise]": [settings.NoiseSettings],
    "[[targets]]": [settings.TargetSettings, settings.TargetKernelSettings],
    "[solver]": [settings.SolverSettings],
    "[uncertainty]": [settings.UncertaintySettings],
    "[compress]": [settings.CompressSettings],
}


def name(path):
    return str(path.relative_to(ROOT))


def blocks(path, language):
    """Fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.M | re.S)


def documented_keys(section):
    """{key: default as written} of one section of docs/fit_toml.md."""
    text = (ROOT / "docs/fit_toml.md").read_text()
    part = text.split(f"\n## `{section}`\n")[1].split("\n## ")[0]
    tables = [text for text in part.strip().split("\n\n") if text.startswith("| key | default |")]
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", "\n".join(tables), re.M))


def expected_keys(section):
    """{key: default} of the code."""
    found = {key: default(own, key) for of in TABLES[section] for key, own in keys(of).items()}
    return found | (SCALING.default if section == "[[terms]]" else {})


@pytest.mark.parametrize("section", TABLES)
def test_every_setting_is_documented_with_its_default(section):
    written, expected = documented_keys(section), expected_keys(section)
    assert set(written) == set(expected)
    for key, value in expected.items():
        if key == "train" or value is REQUIRED:
            assert written[key] == "required"
        elif value is None:
            assert written[key] == "none", key
        else:
            found = tomllib.loads(f"x = {written[key].strip('`')}")["x"]
            found = tuple(found) if isinstance(found, list) else found
            assert found == value and type(found) is type(value), key


@pytest.mark.parametrize("document", ["fit_toml.md", "tuning.md", "active_learning.md"])
def test_tables_of_settings_are_as_declared(document):
    path = ROOT / "docs/settings_tables.py"
    module = importlib.util.module_from_spec(
        spec := importlib.util.spec_from_file_location("settings_tables", path)
    )
    spec.loader.exec_module(module)
    text = (ROOT / "docs" / document).read_text()
    assert module.updated(text) == text, "make docs-tables writes them"
    changed = text.replace(" | range | meaning |", " | range | other |")
    assert changed != text and module.updated(changed) == text


@pytest.mark.parametrize("path", [p for p in DOCUMENTS if blocks(p, "toml")], ids=name)
def test_examples_of_settings_are_valid(path):
    for block in blocks(path, "toml"):
        parse_settings(tomllib.loads(block))


NUMBER = r"\(?\d+[a-z]?(?:\s?[-–]\s?\d+)?\)?"
NUMBERS = rf"({NUMBER}(?:(?:,| and| or| to) {NUMBER})*)"
EQUATION = r"^\*\*\((\d+[a-z]?)\)\*\*"
THEORY = (ROOT / "docs/theory.md").read_text()


def listed():
    """(page, anchor, title, its equations) of each line of the index in docs/theory.md."""
    rows = re.findall(r"^ *- \[(.*)\]\((theory/\w+\.md)#([\w-]+)\)(?:: (.*))?$", THEORY, re.M)
    return [(page, anchor, title, re.findall(r"\w+", own)) for title, page, anchor, own in rows]


def on_the_pages():
    """The same of each heading of the pages, taken in the order of the index."""
    found = []
    for page in dict.fromkeys(page for page, *_ in listed()):
        text = (ROOT / "docs" / page).read_text()
        for part in re.split(r"^###? ", text, flags=re.M)[1:]:
            title = part.split("\n")[0]
            found.append((page, slug(title), title, re.findall(EQUATION, part, re.M)))
    return found


def equations():
    return [number for *_, own in on_the_pages() for number in own]


def test_index_of_the_theory_lists_the_equations_of_every_page():
    pages = {f"theory/{path.name}" for path in ROOT.glob("docs/theory/*.md")}
    assert pages == {page for page, *_ in listed()}
    assert listed() == on_the_pages()


def test_equations_are_numbered_once_and_in_order():
    found = [re.fullmatch(r"(\d+)([a-z]?)", number).groups() for number in equations()]
    order = [(int(number), letter) for number, letter in found]
    assert order and order == sorted(set(order))


def spelled_out(numbers):
    """'(5), 10-12 and (13a) to (13c)': 5, 10, 11, 12, 13a, 13c."""
    for item in re.findall(r"\d+[a-z]?(?:\s?[-–]\s?\d+)?", numbers):
        first, *last = re.split(r"\s?[-–]\s?", item)
        yield from map(str, range(int(first), int(last[0]) + 1)) if last else [first]


def cited(text, what):
    """Numbers after 'docs/theory.md eq.' or 'docs/theory.md, section'."""
    text = re.sub(r"\n\s*(//+|#)?\s*", " ", text)
    for numbers in re.findall(rf"theory\.md,? {what} {NUMBERS}", text):
        yield from spelled_out(numbers)


def test_cited_equations_and_sections_exist():
    known = equations()
    sections = [title.split(".")[0] for _, _, title, _ in listed() if title[0].isdigit()]
    texts = {name(path): path.read_text() for path in [*SOURCES, *DOCUMENTS]}
    citations = [(where, n) for where, text in texts.items() for n in cited(text, r"eqs?\.")]
    assert len(citations) > 100
    assert [item for item in citations if known.count(item[1]) != 1] == []
    parts = [(where, n) for where, text in texts.items() for n in cited(text, "section")]
    assert parts and [item for item in parts if sections.count(item[1]) != 1] == []


def test_equations_named_in_the_documents_exist():
    one = r"\(\d+[a-z]?\)"
    lists = rf"\b[Ee]q(?:s?\.|uation) ({one}(?:(?:,| and| or| to) {one})*)"
    named = {}
    for path in ROOT.glob("docs/**/*.md"):
        parts = re.findall(lists, re.sub(r"\s+", " ", path.read_text()))
        named[path.name] = {number for part in parts for number in spelled_out(part)}
    assert all(named[key] for key in ("fit_toml.md", "model_file.md", "lammps.md", "tuning.md"))
    known = set(equations())
    assert {key: own - known for key, own in named.items() if own - known} == {}


def test_model_file_is_documented():
    text = (ROOT / "docs/model_file.md").read_text()
    check_documented(text, random_model(n_terms=2))
    check_documented(text, body_order_model())
    check_documented(text, with_targets(random_model()))
    check_documented(text, with_kernel_target(random_model()))


def check_documented(text, model):
    arrays = set()
    for key in model.arrays:
        for numbered, letter in ((r"^target\d+", "target{h}"), (r"\bterm\d+", "term{t}")):
            key = re.sub(numbered, letter, key)
        arrays.add(re.sub(r"\.\d+$", ".{a}", key))
    for key in [*model.metadata, *(key for term in model.terms for key in term), *arrays]:
        assert f"| `{key}` |" in text, key


def test_provenance_is_documented(tmp_path):
    from training_data import emt_frames, small_settings, write_frames

    from potential.training.fitting import fit

    train = write_frames(tmp_path / "train.xyz", emt_frames(2))
    record = fit(small_settings(train, n_sparse=4), progress=False).provenance
    text = (ROOT / "docs/model_file.md").read_text().split("### `provenance`")[1]
    for key in record:
        assert f"`{key}`" in text, key


def test_python_examples_of_the_model_file_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("safetensors")
    random_model().save(tmp_path / "model.sgpr")
    monkeypatch.chdir(tmp_path)
    for block in blocks(ROOT / "docs/model_file.md", "python"):
        exec(compile(block, "docs/model_file.md", "exec"), {})
    assert capsys.readouterr().out.split()[0] == "eV,angstrom"


def test_python_example_of_the_readme_runs():
    pytest.importorskip("sklearn")
    names: dict = {}
    (block,) = [own for own in blocks(ROOT / "README.md", "python") if "SoapDescriptor" in own]
    exec(compile(block, "README.md", "exec"), names)
    assert len(set(names["chosen"])) == 20 and names["model"].coef_.shape == names["X"].shape[1:]


def test_python_examples_of_the_page_on_python_run(tmp_path, monkeypatch):
    with_members(random_model()).save(tmp_path / "model.sgpr")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks(ROOT / "docs/python.md", "python"):
        exec(compile(block, "docs/python.md", "exec"), names)
    assert names["X"].shape[0] == 9 and names["K"].shape == (2, 2)
    assert abs(names["forces"].sum(axis=0)).max() < 1e-10


def test_python_examples_of_the_structures_run():
    names: dict = {}
    for block in blocks(ROOT / "docs/structures.md", "python"):
        exec(compile(block, "docs/structures.md", "exec"), names)
    assert names["K"].shape == (4, 4)


def test_python_example_of_the_maps_runs():
    names: dict = {}
    (block,) = blocks(ROOT / "docs/describe.md", "python")
    exec(compile(block, "docs/describe.md", "exec"), names)
    assert names["found"].duplicates.tolist() == [4] and names["coordinates"].shape == (6, 2)


def test_python_examples_of_the_fits_run(tmp_path, monkeypatch):
    from training_data import emt_frames, write_frames

    from potential.model import Model
    from potential.training.fitting import fit

    monkeypatch.chdir(tmp_path)
    write_frames("train.xyz", emt_frames(4))
    refit, frames = blocks(ROOT / "docs/fitting.md", "python")
    exec(compile(frames, "docs/fitting.md", "exec"), {})
    settings = Model.load("model.sgpr").metadata["settings"]
    settings = {"terms": settings["terms"], "solver": {"keep_factor": True}}
    fit(settings, train=emt_frames(4), progress=False).model.save("model.sgpr")
    exec(compile(refit, "docs/fitting.md", "exec"), {})


def test_python_example_of_the_uncertainty_runs(tmp_path, monkeypatch, capsys):
    from training_data import emt_frames, small_settings, write_frames

    from potential.training.fitting import fit

    monkeypatch.chdir(tmp_path)
    write_frames("test.xyz", emt_frames(1, seed=2))
    settings = small_settings("train.xyz", n_sparse=6) | {"uncertainty": {}}
    fit(settings, train=emt_frames(5), progress=False).model.save("model.sgpr")
    (block,) = blocks(ROOT / "docs/uncertainty.md", "python")
    exec(compile(block, "docs/uncertainty.md", "exec"), {})
    assert all(float(word) > 0 for word in capsys.readouterr().out.split())


def test_commands_in_the_documents_are_accepted():
    for path in DOCUMENTS:
        for line in re.findall(r"^soap-gpr (\S.*?)(?:\s+(?:#|&|>).*)?$", path.read_text(), re.M):
            words = shlex.split(line.replace("[", "").replace("]", ""))
            assert words[0] in COMMANDS or words[0].startswith("-"), f"{name(path)}: {line}"
            if words[0] in COMMANDS:
                make_parser(words)[0].parse_args(words)


def anchors(path):
    """Anchors of the headings of a document, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {slug(heading) for heading in headings}


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_lead_somewhere():
    for path in DOCUMENTS:
        for link in re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", path.read_text()):
            target, _, anchor = link.partition("#")
            if not target.startswith("http"):
                file = path.parent / target if target else path
                assert file.exists(), f"{name(path)}: {link}"
                assert not anchor or anchor in anchors(file), f"{name(path)}: {link}"
