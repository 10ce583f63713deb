# SPDX-License-Identifier: BSD-3-Clause
"""Progress bars: on stderr, and only where somebody is looking."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from tqdm import tqdm

from potential.runtime.printable import printable

Progress = Callable[[Iterable, str], Iterable]


def silent(items: Iterable, what: str) -> Iterable:
    """No bar."""
    return items


def bar(items: Iterable, what: str) -> Iterable:
    """A bar that says what is being done, unless stderr is not a terminal."""
    return tqdm(
        items,
        desc=what,
        disable=not sys.stderr.isatty(),
        file=sys.stderr,
        leave=False,
        dynamic_ncols=True,
        bar_format="{desc:>24s} {bar:30} {n_fmt}/{total_fmt} {remaining} left",
    )


def say(line: str) -> None:
    """A line on standard output at once, above bars that are there."""
    tqdm.write(printable(line), file=sys.stdout)
    sys.stdout.flush()
