"""What every content store must do (rules C-1 to C-3): a store's tests inherit this class and give a place for it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import shake_256
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import pytest

from gridproof.connectors.content import (
    ContentAlteredError,
    ContentMissingError,
    ContentNameError,
    ContentStore,
    ContentTooLargeError,
    Damage,
    find_damage,
)
from gridproof.primitives.cid import CHUNK_SIZE, cid_v1

HELLO = (b"hello world", "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e")
SIZES = (0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE + 5)
MANY = 5 * 2**20 + 3
NO_CIDS = (
    "",
    "x",
    "../../secrets/keys",
    "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN",
    HELLO[1].upper(),
    HELLO[1] + "\n",
    HELLO[1][:-1] + "f",
    HELLO[1][:-8],
    "bafyreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
)


class Place(Protocol):
    """Where a store's content lies, and how to harm it. It can be pickled."""

    def open(self) -> ContentStore:
        """A store of its own on this place."""

    def file(self, content: bytes) -> tuple[Path, int]:
        """A file that holds some of the content, and where in that file to harm it."""


def content_of(size: int, seed: str = "") -> bytes:
    """Bytes that no other size or seed begins with."""
    return shake_256(f"{size} {seed}".encode()).digest(size)


def alter(place: Place, content: bytes) -> None:
    path, at = place.file(content)
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    overwrite(path, bytes(raw))


def cut(place: Place, content: bytes) -> None:
    path, at = place.file(content)
    overwrite(path, path.read_bytes()[:at])


def lose(place: Place, content: bytes) -> None:
    place.file(content)[0].unlink()


def overwrite(path: Path, raw: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(raw)


Harm = Callable[[Place, bytes], None]
HARMS: list[tuple[Harm, Damage]] = [(alter, Damage.ALTERED), (cut, Damage.ALTERED), (lose, Damage.MISSING)]
ERRORS = {Damage.ALTERED: ContentAlteredError, Damage.MISSING: ContentMissingError}


def put_in_turn(place: Place, sizes: list[int], rounds: int) -> list[str]:
    """Put the same contents again and again; in a process of its own."""
    with closing(place.open()) as store:
        return [store.put(content_of(size)) for _ in range(rounds) for size in sizes]


class ContentStoreContract:
    """Inherited by the tests of each store, which give `place`: an empty one."""

    @pytest.fixture
    def place(self) -> Place:
        raise NotImplementedError

    @pytest.fixture
    def store(self, place: Place) -> Iterator[ContentStore]:
        with closing(place.open()) as opened:
            yield opened

    @pytest.mark.parametrize("size", [*SIZES, MANY])
    def test_content_comes_back_by_the_name_that_ipfs_gives(self, store: ContentStore, size: int) -> None:
        content = content_of(size)
        assert not store.has(cid_v1(content))
        assert store.put(content) == cid_v1(content)
        assert store.get(cid_v1(content)) == content
        assert store.has(cid_v1(content))

    def test_a_name_is_the_one_that_the_world_knows(self, store: ContentStore) -> None:
        assert store.put(HELLO[0]) == HELLO[1]
        assert store.get(HELLO[1]) == HELLO[0]

    @pytest.mark.parametrize("cid", NO_CIDS)
    def test_what_is_no_name_is_refused_and_nothing_looked_for(self, store: ContentStore, cid: str) -> None:
        store.put(HELLO[0])
        for ask in (store.get, store.has, store.find_fault, store.remove):
            with pytest.raises(ContentNameError) as refusal:
                ask(cid)
            assert refusal.value.cid == cid
            assert refusal.value.detail
        assert store.get(HELLO[1]) == HELLO[0]

    @pytest.mark.parametrize("size", SIZES)
    def test_c3_content_that_never_came_is_missing(self, store: ContentStore, size: int) -> None:
        cid = cid_v1(content_of(size, "never"))
        with pytest.raises(ContentMissingError) as refusal:
            store.get(cid)
        assert refusal.value.cid == cid
        assert store.find_fault(cid) is Damage.MISSING

    def test_c2_putting_again_changes_nothing(self, store: ContentStore) -> None:
        first, large = content_of(1_000), content_of(3 * CHUNK_SIZE)
        names = [store.put(first), store.put(large)]
        assert [store.put(first), store.put(large)] == names
        assert [store.get(name) for name in names] == [first, large]

    def test_another_opening_finds_what_was_put(self, place: Place, store: ContentStore) -> None:
        cid = store.put(content_of(CHUNK_SIZE + 1))
        with closing(place.open()) as other:
            assert other.get(cid) == content_of(CHUNK_SIZE + 1)

    @pytest.mark.parametrize("size", [700, 3 * CHUNK_SIZE + 5])
    def test_removed_content_is_missing_and_the_rest_stays(self, store: ContentStore, size: int) -> None:
        kept, gone = store.put(content_of(size, "kept")), store.put(content_of(size, "gone"))
        store.remove(gone)
        with pytest.raises(ContentMissingError):
            store.get(gone)
        assert store.get(kept) == content_of(size, "kept")
        store.remove(gone)
        assert store.put(content_of(size, "gone")) == gone
        assert store.has(gone)

    def test_removing_what_never_came_is_harmless(self, store: ContentStore) -> None:
        store.remove(cid_v1(b"never"))
        store.put(HELLO[0])
        store.remove(cid_v1(b"never"))
        assert store.has(HELLO[1])

    def test_removing_content_leaves_content_that_shares_its_chunks(self, store: ContentStore) -> None:
        chunk = content_of(CHUNK_SIZE, "shared")
        whole, part = store.put(chunk * 2 + b"x"), store.put(chunk)
        store.remove(whole)
        assert store.get(part) == chunk
        store.put(chunk * 2 + b"x")
        store.remove(part)
        assert store.get(whole) == chunk * 2 + b"x"

    @pytest.mark.parametrize("size", [1, 131_072, 3 * CHUNK_SIZE + 5])
    @pytest.mark.parametrize(("harm", "damage"), HARMS)
    def test_c3_damage_is_named_and_putting_again_mends_it(
        self, place: Place, store: ContentStore, size: int, harm: Harm, damage: Damage
    ) -> None:
        content, sound = content_of(size), content_of(size, "sound")
        names = [store.put(sound), store.put(content)]
        harm(place, content)
        with pytest.raises(ERRORS[damage]) as refusal:
            store.get(names[1])
        assert refusal.value.particulars == {"cid": names[1]}
        assert not store.has(names[1])
        absent = cid_v1(b"never")
        assert find_damage(store, [*names, absent]) == [(names[1], damage), (absent, Damage.MISSING)]
        assert store.put(content) == names[1]
        assert store.get(names[1]) == content
        assert find_damage(store, names) == []

    def test_c3_damage_that_nobody_read_is_mended_as_well(self, place: Place, store: ContentStore) -> None:
        content = content_of(2 * CHUNK_SIZE + 9)
        cid = store.put(content)
        for harm, _ in HARMS:
            harm(place, content)
            store.put(content)
            assert store.get(cid) == content

    @pytest.mark.parametrize("harm", [alter, lose])
    def test_damaged_content_can_be_removed(self, place: Place, store: ContentStore, harm: Harm) -> None:
        content = content_of(3 * CHUNK_SIZE)
        cid = store.put(content)
        harm(place, content)
        store.remove(cid)
        assert store.find_fault(cid) is Damage.MISSING

    def test_content_that_is_too_large_is_refused_and_nothing_stored(
        self, store: ContentStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gridproof.connectors.content.port.MAX_CONTENT", 1_000)
        with pytest.raises(ContentTooLargeError) as refusal:
            store.put(content_of(1_001))
        assert refusal.value.particulars == {"size": 1_001, "limit": 1_000}
        assert store.find_fault(cid_v1(content_of(1_001))) is Damage.MISSING
        assert store.has(store.put(content_of(1_000)))

    def test_many_threads_put_and_get_at_once(self, store: ContentStore) -> None:
        sizes = [size for size in (10, 20, CHUNK_SIZE + 7) for _ in range(8)]

        def work(size: int) -> bool:
            return store.get(store.put(content_of(size))) == content_of(size)

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, sizes))

    def test_two_processes_put_the_same_at_once(self, place: Place, store: ContentStore) -> None:
        sizes = [0, 1_000, CHUNK_SIZE + 1]
        context = get_context("forkserver")
        with context.Pool(2) as pool:
            told = pool.starmap(put_in_turn, [(place, sizes, 10)] * 2)
            pool.close()
            pool.join()
        names = [cid_v1(content_of(size)) for size in sizes]
        assert told == [names * 10] * 2
        assert find_damage(store, names) == []
