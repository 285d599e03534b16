"""How much may wait, be tested at once and stand in a block, whichever driver makes the blocks."""

from typing import Final

# Of one sender. Twice the window of nonces that may wait: two for each, where a process signed anew. The bytes hold the
# largest stretch of batches that is handed in at once (40 of 760 KB) and are an eighth of what waits at a node in all.
PER_SENDER: Final = 128
SENDER_BYTES: Final = 32 * 2**20
MAX_BLOCK_BYTES: Final = 21 * 2**20  # of a network's block
AT_ONCE: Final = 64  # envelopes that are tested together, before others have their turn: a few milliseconds of work
