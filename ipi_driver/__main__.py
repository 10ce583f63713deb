# SPDX-License-Identifier: BSD-3-Clause
"""``python -m ipi_driver``: the same as ``soap-gpr drive``."""

from ipi_driver.cli import main

raise SystemExit(main())
