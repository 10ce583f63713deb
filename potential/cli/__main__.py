# SPDX-License-Identifier: BSD-3-Clause
"""python -m potential.cli"""

import sys

from potential.cli import main

sys.exit(main())
