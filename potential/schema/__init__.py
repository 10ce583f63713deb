# SPDX-License-Identifier: BSD-3-Clause
"""How settings are declared: once, as fields of frozen dataclasses.

place     where in a file a value is, and the one sentence on what is wrong there
values    what a value may be: type, range, unit, choices, meaning
tables    values that are tables: by species, by name, of other settings
settings  the base class, which checks when it is made, and the reader of tables
limits    ends of ranges that several settings share
"""

from potential.schema.place import Place, SettingError, nearest
from potential.schema.settings import Settings, read, setting
from potential.schema.tables import (
    Beads,
    ByName,
    BySpecies,
    Group,
    Kind,
    Kinds,
    Nested,
    Numbers,
    Symbols,
    Tables,
)
from potential.schema.values import (
    Choice,
    File,
    Files,
    Flag,
    Integer,
    Items,
    Number,
    Row,
    Text,
    Vector,
)

__all__ = [
    "Beads",
    "ByName",
    "BySpecies",
    "Choice",
    "File",
    "Files",
    "Flag",
    "Group",
    "Integer",
    "Items",
    "Kind",
    "Kinds",
    "Nested",
    "Number",
    "Numbers",
    "Place",
    "Row",
    "SettingError",
    "Settings",
    "Symbols",
    "Tables",
    "Text",
    "Vector",
    "nearest",
    "read",
    "setting",
]
