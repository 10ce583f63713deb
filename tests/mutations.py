# SPDX-License-Identifier: BSD-3-Clause
"""Ways in which values and files come to harm, for hypothesis to choose from."""

import json

from hypothesis import strategies as st

ODD_VALUES = [0, 1, -1, 3, 9, 1e300, 2**31, 2**32 + 3, 2**64 - 1, 46341, 92682, 0.5, 3.5, None]
ODD_VALUES += ["x", [], {}, True]
PAGE = bytes(4096)  # zeros, as a machine leaves them that crashed


def paths(value, path=()):
    """Places of all parts of a value that JSON knows."""
    yield path
    parts = value.items() if isinstance(value, dict) else ()
    parts = enumerate(value) if isinstance(value, list) else parts
    for key, part in parts:
        yield from paths(part, (*path, key))


def part(value, path):
    """The part in that place."""
    for key in path:
        value = value[key]
    return value


def replaced(value, path, new):
    """A copy with another part; without that part when new is the class Ellipsis."""
    value = json.loads(json.dumps(value))
    if not path:
        return new
    inner = part(value, path[:-1])
    if new is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return value


def edits(value):
    """(path, new) for ``replaced``: one part odd, a little different, left out or repeated."""

    def of_one(path):
        own, odd = part(value, path), [*ODD_VALUES, *([...] if path else [])]
        if isinstance(own, int | float) and not isinstance(own, bool):
            odd += [own - 1, own + 1, own + 2]
        if isinstance(own, list) and own:
            odd += [own[:-1], [*own, own[-1]]]
        return st.tuples(st.just(path), st.sampled_from(odd))

    return st.sampled_from(list(paths(value))).flatmap(of_one)


ANY_BYTES = st.binary(max_size=8) | st.just(PAGE)


def splices(inserted=ANY_BYTES):
    """(place, removed, inserted) for ``spliced``; often near one of the ends."""
    place = st.integers(-600, 600) | st.integers(-(2**20), 2**20)
    return st.tuples(place, st.sampled_from([0, 1, 2, 8, len(PAGE), 2**30]), inserted)


def spliced(content, place, removed, inserted):
    """The bytes or the text with some taken out and others put in; negative: from the end."""
    begin = place % (len(content) + 1)
    return content[:begin] + inserted + content[begin + removed :]
