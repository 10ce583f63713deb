# SPDX-License-Identifier: BSD-3-Clause
"""Files, threads, ranks and memory of the process; text for people."""
