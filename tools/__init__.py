"""The project's own gates and helpers; `make` calls them, none is part of the package."""
