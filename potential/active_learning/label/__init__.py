# SPDX-License-Identifier: BSD-3-Clause
"""Labels of selected structures: from a calculator, a command, a code elsewhere or a file."""
