"""How Sphinx builds these pages. Nothing is fetched: `make docs` works offline."""

from lineament import __version__

project = "Lineament"
author = "The Lineament authors"
copyright = author  # noqa: A001 (Sphinx's name)
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "special-members": "__call__"}

html_theme = "furo"
html_title = f"Lineament {version}"
html_copy_source = False
