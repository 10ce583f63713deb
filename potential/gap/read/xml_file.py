# SPDX-License-Identifier: BSD-3-Clause
"""XML as a tree, for files of unknown origin: no document type, hence no entities of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from potential.errors import SoapGprError

MAX_DEPTH = 30
MAX_ELEMENTS = 2_500_000  # of 300 bytes; there is one for every 50 numbers of sparse points
# How files begin that people give instead, and what they are.
OTHERS = {
    b"\x1f\x8b": "a compressed file: unpack it with gunzip",
    b"BZh": "a compressed file: unpack it with bunzip2",
    b"\xfd7zXZ": "a compressed file: unpack it with unxz",
    b"PK": "an archive: unpack it with unzip",
    b"version https://git-lfs": "a pointer of git-lfs, not the file itself: git lfs pull gets it",
    b"<!DOCTYPE html": "a page of the web, not the file itself",
}


@dataclass(slots=True)
class Element:
    """One element: its attributes, its children, and the text outside of them."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.parts)

    def all(self, name: str) -> Iterator[Element]:
        """Children of that name."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Element | None:
        """The first child of that name."""
        return next(self.all(name), None)

    def walk(self, name: str) -> Iterator[Element]:
        """Elements of that name at any depth, this one included."""
        if self.name == name:
            yield self
        for child in self.children:
            yield from child.walk(name)


def read_xml(path: str | Path) -> Element:
    """The root element. Raises SoapGprError for anything that is not a complete, plain document."""
    root = Element("", {})
    stack = [root]
    parser = expat.ParserCreate()

    n_elements = 0

    def start(name, attributes):
        nonlocal n_elements
        n_elements += 1
        if n_elements > MAX_ELEMENTS:
            raise SoapGprError(f"{path}: found more than {MAX_ELEMENTS} elements")
        if len(stack) > MAX_DEPTH:
            raise SoapGprError(f"{path}: found more than {MAX_DEPTH} nested elements")
        element = Element(name, attributes)
        stack[-1].children.append(element)
        stack.append(element)

    def refuse(name, *_):
        raise SoapGprError(f"{path}: found a document type ({name}), expected plain XML without")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: stack.pop()
    parser.CharacterDataHandler = lambda text: stack[-1].parts.append(text)
    parser.StartDoctypeDeclHandler = refuse
    parser.buffer_text = True
    try:
        with open(path, "rb") as file:
            _refuse_others(path, file.peek(100)[:100])
            parser.ParseFile(file)
    except (expat.ExpatError, LookupError, ValueError) as error:  # also of unknown encodings
        raise SoapGprError(f"{path}: not a complete XML file: {error}") from None
    except OSError as error:
        raise SoapGprError(
            f"{path}: cannot read: {(error.strerror or str(error)).lower()}"
        ) from None
    return root.children[0]


def _refuse_others(path: str | Path, beginning: bytes) -> None:
    for mark, what in OTHERS.items():
        if beginning.lower().startswith(mark.lower()):
            raise SoapGprError(f"{path}: found {what}")
    if beginning[8:9] == b"{" and b"__metadata__" in beginning:
        raise SoapGprError(f"{path}: found a model of soap-gpr, which needs no import")
