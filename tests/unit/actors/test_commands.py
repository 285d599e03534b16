"""Commands that people are told to type."""

import shlex
from pathlib import Path

from gridproof.actors.commands import command


def test_words_stand_as_they_are_where_a_shell_reads_them_so() -> None:
    told = command("node", "start", "-C", Path("/srv/company-1"))
    assert told == "gridproof node start -C /srv/company-1"
    assert command("meter", "enrol", "NAME...") == "gridproof meter enrol NAME..."


def test_a_shell_takes_each_word_whole() -> None:
    words = ["node", "start", "-C", "/srv/Old Town; rm 'it' $HOME", "", "*"]
    assert shlex.split(command(*words)) == ["gridproof", *words]
