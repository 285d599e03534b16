"""Chain keys, view seeds and owners at rest: rules K-1 and K-2."""

from pathlib import Path

import numpy as np
import pytest

from gridproof.actors.bill_provider import keys as module
from gridproof.actors.bill_provider.keys import Keys, Line
from gridproof.actors.errors import MonthErasedError
from gridproof.actors.randomness import Seeded
from gridproof.connectors.secret_files import PassphraseNeededError, SecretFiles
from gridproof.domain import Direction, OutOfRangeError, Secret, next_chain_key, view_seeds

LINE = Line(1, Direction.IMPORT)
MONTH = 24_000


def opened(folder: Path, passphrase: str | None = None, seed: bytes = b"keys") -> Keys:
    return Keys(folder, SecretFiles(passphrase), Seeded(seed))


def found_on_disk(folder: Path, secret: bytes) -> bool:
    return any(secret in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_k2_keys_that_were_drawn_are_read_again_and_never_drawn_anew(tmp_path: Path) -> None:
    first = opened(tmp_path).chains(LINE, MONTH, [1, 2])
    again = opened(tmp_path, seed=b"other").chains(LINE, MONTH, [2, 1, 3])
    assert (again[1], again[2]) == (first[1], first[2])
    assert len({key for chain in again.values() for key in (chain.sign, chain.view)}) == 6


def test_k1_the_next_months_keys_follow_from_this_months(tmp_path: Path) -> None:
    keys = opened(tmp_path)
    this = keys.chains(LINE, MONTH, [1])[1]
    later = keys.chains(LINE, MONTH + 2, [1])[1]
    assert later.sign == next_chain_key(next_chain_key(this.sign, Secret.SIGN), Secret.SIGN)
    assert later.view == next_chain_key(next_chain_key(this.view, Secret.VIEW), Secret.VIEW)
    assert keys.months(LINE) == [MONTH, MONTH + 2]


def test_a_place_with_keys_of_a_later_month_only_has_none_before(tmp_path: Path) -> None:
    keys = opened(tmp_path)
    keys.chains(LINE, MONTH + 1, [1])
    assert keys.chains(LINE, MONTH, [2])[2] != keys.chains(LINE, MONTH + 1, [2])[2]
    with pytest.raises(MonthErasedError) as refused:
        keys.chains(LINE, MONTH, [1])
    assert (refused.value.what, refused.value.month) == ("chains 1-import", MONTH)


def test_k1_erased_keys_are_gone_from_the_disk_and_what_is_needed_was_led_on(tmp_path: Path) -> None:
    keys = opened(tmp_path)
    old = keys.chains(LINE, MONTH, [1, 2])
    assert found_on_disk(tmp_path, old[1].sign)
    keys.erase_chains(LINE, MONTH + 1, [1, 9])
    assert keys.months(LINE) == [MONTH + 1]
    for chain in old.values():
        assert not found_on_disk(tmp_path, chain.sign)
        assert not found_on_disk(tmp_path, chain.view)
    reopened = opened(tmp_path)
    assert reopened.chains(LINE, MONTH + 1, [1])[1].sign == next_chain_key(old[1].sign, Secret.SIGN)
    assert found_on_disk(tmp_path, reopened.chains(LINE, MONTH + 1, [1])[1].sign)
    keys.erase_chains(LINE, MONTH + 1, [1])
    assert keys.months(LINE) == [MONTH + 1]


def test_view_seeds_outlive_the_chain_keys_until_the_month_is_erased(tmp_path: Path) -> None:
    keys = opened(tmp_path)
    chains = keys.chains(LINE, MONTH, [1, 2])
    keys.keep_views(LINE, MONTH, chains)
    keys.erase_chains(LINE, MONTH + 1, [1, 2])
    views = opened(tmp_path).views(LINE, MONTH)
    assert views == {number: view_seeds(chains[number].view, Direction.IMPORT) for number in (1, 2)}
    keys.erase_month(LINE, MONTH)
    assert not found_on_disk(tmp_path, views[1].first)
    with pytest.raises(MonthErasedError) as refused:
        keys.views(LINE, MONTH)
    assert refused.value.month == MONTH
    keys.erase_month(LINE, MONTH)


def test_owners_are_kept_some_slots_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK_BYTES", 3 * 8 * 4)
    owners = np.arange(7 * 8, dtype=np.uint32).reshape(7, 8)
    opened(tmp_path).keep_owners(LINE, MONTH, 1, 100, owners)
    assert len(list((tmp_path / "owners" / "1-import").iterdir())) == 3
    keys = opened(tmp_path)
    for at in (6, 0, 3, 6, 1):
        assert keys.owners(LINE, MONTH, 1, at, 8).tolist() == owners[at].tolist()
    with pytest.raises(OutOfRangeError):
        keys.owners(LINE, MONTH, 1, 7, 8)
    keys.erase_month(LINE, MONTH)
    with pytest.raises(MonthErasedError):
        keys.owners(LINE, MONTH, 1, 0, 8)


def test_lines_do_not_share_keys(tmp_path: Path) -> None:
    keys = opened(tmp_path)
    chains = [keys.chains(Line(region, channel), MONTH, [1])[1] for region in (1, 2) for channel in Direction]
    assert len({chain.sign for chain in chains}) == len({chain.view for chain in chains}) == 4


def test_with_a_passphrase_all_is_sealed(tmp_path: Path) -> None:
    keys = opened(tmp_path, "secret words")
    chains = keys.chains(LINE, MONTH, [1])
    keys.keep_views(LINE, MONTH, chains)
    keys.keep_owners(LINE, MONTH, 1, 0, np.zeros((1, 2), dtype=np.uint32))
    assert not found_on_disk(tmp_path, chains[1].sign)
    assert not found_on_disk(tmp_path, view_seeds(chains[1].view, Direction.IMPORT).first)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*.key")} == {0o600}
    with pytest.raises(PassphraseNeededError):
        opened(tmp_path).chains(LINE, MONTH, [1])


def test_secrets_do_not_show_in_texts(tmp_path: Path) -> None:
    chains = opened(tmp_path).chains(LINE, MONTH, [1])
    shown = repr([module.PlaceChain(1, b"s" * 32, b"v" * 32), module.PlaceView(1, b"f" * 32, b"g" * 32), chains])
    assert shown.count("hidden") == 3
