"""How Sphinx builds the site; `make docs` runs it with warnings as errors."""

from gridproof import __version__

project = "gridproof"
author = "The gridproof developers"
copyright = "The gridproof developers, Apache-2.0"
release = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist", "fieldlist"]
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_title = f"gridproof {__version__}"
html_copy_source = False
html_show_sourcelink = False
