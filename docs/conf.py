# SPDX-License-Identifier: BSD-3-Clause
"""Sphinx: the pages of this folder and the docstrings of the package; ``make docs`` builds them."""

from potential import __version__

project = "soap-gpr"
author = copyright = "The soap-gpr developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
html_theme = "furo"
html_title = f"soap-gpr {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False

myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]  # ```math, as GitHub writes equations
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # shapes and units are in the docstrings
nitpicky = True
