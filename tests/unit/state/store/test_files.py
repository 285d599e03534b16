"""The folder and the file of a durable store."""

import errno
from pathlib import Path

import pytest

from gridproof.state.store import LmdbStore, StoreError, StoreExistsError, StoreMissingError, Table, find_damage
from gridproof.state.store.files import copying, new_data, refusal, told


@pytest.fixture
def data(folder: str) -> Path:
    """The file of a store with some pages."""
    store = LmdbStore(folder)
    store.write({Table.STATE: {b"%05d" % number: b"x" * 100 for number in range(1000)}})
    store.close()
    return Path(folder) / "data.mdb"


def test_a_sound_store_shows_no_damage(data: Path) -> None:
    assert find_damage(str(data.parent)) == ()


def test_damage_deep_in_the_file_is_found(data: Path) -> None:
    raw = bytearray(data.read_bytes())
    for page in range(2, len(raw) // 4096):
        raw[page * 4096 : page * 4096 + 8] = bytes(8)
    data.write_bytes(raw)
    assert find_damage(str(data.parent))


def test_a_file_that_is_no_database_is_damage(data: Path) -> None:
    data.write_bytes(b"no database" * 1000)
    assert len(find_damage(str(data.parent))) == 1


def test_looking_for_damage_where_there_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreMissingError) as missing:
        find_damage(str(tmp_path))
    assert missing.value.path == str(tmp_path)


def test_a_copy_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def interrupted() -> None:
        with copying(str(tmp_path)), new_data(str(tmp_path)):
            assert [file.name for file in tmp_path.iterdir()] == ["data.mdb.part"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_copy_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    with copying(str(tmp_path)), new_data(str(tmp_path)):
        assert not (tmp_path / "data.mdb").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["data.mdb"]
    with pytest.raises(StoreExistsError), copying(str(tmp_path)):
        pytest.fail("a store must not be copied over")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EBUSY])
def test_the_systems_errors_become_the_stores_and_keep_their_cause(number: int) -> None:
    with pytest.raises(StoreError) as found, told("/somewhere"):
        raise OSError(number, "words of the system")
    assert type(found.value) is type(refusal("/somewhere", number, ""))
    assert found.value.particulars["path"] == "/somewhere"
    assert isinstance(found.value.__cause__, OSError)
