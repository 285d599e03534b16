"""What gridproof's work costs, against the raw libraries that it stands on: `make bench`.

Every ratio is of one run: the product's work and the bare library's take turns, so that a machine's bad moment falls on
both. Nothing here is a test: figures are shown and held to the targets, never asserted.
"""
