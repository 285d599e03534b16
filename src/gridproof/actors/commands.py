"""Commands as people are told to type them."""

import shlex


def command(*words: object) -> str:
    """A command to be typed as it stands: a word that a shell would part or read otherwise is quoted.

    Args:
        words: those after `gridproof`.
    """
    return shlex.join(("gridproof", *map(str, words)))
