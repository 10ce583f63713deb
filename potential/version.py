# SPDX-License-Identifier: BSD-3-Clause
"""The version of the installed package."""

from importlib.metadata import PackageNotFoundError, version


def package_version() -> str:
    """As pip knows it; "unknown" when run from a folder that was never installed."""
    try:
        return version("soap-gpr")
    except PackageNotFoundError:
        return "unknown"
