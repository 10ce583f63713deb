# SPDX-License-Identifier: BSD-3-Clause
"""The settings of a loop: loop.toml, declared, read and checked."""

from potential.active_learning.settings.labels import (
    LABELS,
    CalculatorSettings,
    CommandSettings,
    FileLabelSettings,
    LabelSettings,
    WaitSettings,
)
from potential.active_learning.settings.loop import (
    LimitSettings,
    LoopSettings,
    LoopTable,
    SelectSettings,
    load_loop,
    parse_loop,
)
from potential.active_learning.settings.samplers import (
    SAMPLERS,
    IpiSettings,
    LammpsSettings,
    PoolSettings,
    RandomSettings,
    SamplerSettings,
)

__all__ = [
    "LABELS",
    "SAMPLERS",
    "CalculatorSettings",
    "CommandSettings",
    "FileLabelSettings",
    "IpiSettings",
    "LabelSettings",
    "LammpsSettings",
    "LimitSettings",
    "LoopSettings",
    "LoopTable",
    "PoolSettings",
    "RandomSettings",
    "SamplerSettings",
    "SelectSettings",
    "WaitSettings",
    "load_loop",
    "parse_loop",
]
