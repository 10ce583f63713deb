# SPDX-License-Identifier: BSD-3-Clause
"""Print the requirements of one extra of pyproject.toml, one a line: extra.py NAME."""

import sys
import tomllib

with open("pyproject.toml", "rb") as stream:
    print(*tomllib.load(stream)["project"]["optional-dependencies"][sys.argv[1]], sep="\n")
