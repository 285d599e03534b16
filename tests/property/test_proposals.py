"""Whatever waits, what one node proposes of it the others accept; one transaction that may not stand spoils it."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from gridproof.domain import ParticipantId
from gridproof.drivers.cometbft.service import FRAME_BYTES
from gridproof.primitives.encoding import encode
from gridproof.state import sign_transaction
from gridproof.state.transaction import MAX_TRANSACTION_BYTES

from tests.tiny.app import PEOPLE, signer
from tests.tiny.notices.messages import PostNotice
from tests.tiny.people.messages import Witness
from tests.unit.drivers.cometbft.nodes import ACCEPT, FIRST_S, REJECT, Node, born

NAMES = ("operator", "household-1", "household-2")
DIGEST = bytes(32)


@st.composite
def transactions(draw: st.DrawFn) -> bytes:
    """One that may stand in a block somewhere, or not."""
    name = draw(st.sampled_from(NAMES))
    text = draw(st.sampled_from(["a", "b" * 300, "", "c" * 501]))
    message: PostNotice | Witness = PostNotice(1, text, FIRST_S + 60)
    if draw(st.booleans()):
        key = signer(name)
        false = draw(st.booleans())
        message = Witness(DIGEST, ((key.public_key, bytes(64) if false else key.sign(DIGEST)),))
    raw = sign_transaction(
        signer(draw(st.sampled_from([name, name, name, "operator"]))),
        chain_id=draw(st.sampled_from(["tiny-1", "tiny-1", "tiny-1", "other-1"])),
        sender=ParticipantId(draw(st.sampled_from([PEOPLE[name], PEOPLE[name], PEOPLE[name], 77]))),
        nonce=draw(st.integers(min_value=0, max_value=4)),
        valid_until_s=FIRST_S + draw(st.sampled_from([60, 0, -1])),
        messages=(message,) * draw(st.integers(min_value=1, max_value=2)),
    )
    cut = draw(st.sampled_from([0, 0, 0, 0, 1]))
    return raw[: len(raw) - cut] if cut else raw


GARBAGE = st.binary(max_size=40) | st.just(encode([b"", bytes(64)]))
ARRIVED = st.lists(transactions() | GARBAGE, max_size=14).flatmap(
    lambda once: st.lists(st.sampled_from(once), max_size=3).map(lambda again: once + again) if once else st.just(once)
)
ROOM = st.integers(min_value=0, max_value=6_000)


def grown(blocks: int) -> Node:
    """A node with some blocks, in which nonces have moved."""
    node = born()
    for nonce in range(blocks):
        raw = sign_transaction(
            signer("operator"), chain_id="tiny-1", sender=ParticipantId(1), nonce=nonce,
            valid_until_s=FIRST_S, messages=(PostNotice(1, "x", FIRST_S + 60),),
        )  # fmt: skip
        node.block(raw)
    return node


@settings(deadline=None, max_examples=60)
@given(ARRIVED, ROOM, st.integers(min_value=0, max_value=2))
def test_what_a_node_proposes_another_accepts_and_it_fits(arrived: list[bytes], room: int, blocks: int) -> None:
    proposer, other = grown(blocks), grown(blocks)
    chosen = proposer.propose(arrived, room=room)
    assert sum(len(raw) + FRAME_BYTES for raw in chosen) <= max(room, 0)
    assert len(chosen) == len(set(chosen))
    assert all(chosen.count(raw) <= arrived.count(raw) for raw in chosen), "nothing is made up"
    assert other.judge(chosen) == ACCEPT
    assert other.finalize(chosen).app_hash == proposer.finalize(chosen).app_hash


def spoiled(name: str, chosen: list[bytes]) -> bytes:
    """A transaction that may stand nowhere in a block of these."""
    whole = made(chain_id="tiny-1")
    kinds: dict[str, Callable[[], bytes]] = {
        "garbage": lambda: b"\xc1 garbage",
        "nothing": lambda: b"",
        "cut": lambda: whole[:-1],
        "longer": lambda: whole + b"\x00",
        "signed by another": lambda: made(key="household-3"),
        "of another chain": lambda: made(chain_id="other-1"),
        "expired": lambda: made(valid_until_s=FIRST_S - 1),
        "a gap": lambda: made(nonce=40),
        "nobody's": lambda: made(sender=77),
        "a false message": lambda: made(text=""),
        "a false claim": lambda: made(message=Witness(DIGEST, ((signer("operator").public_key, bytes(64)),))),
        "oversize": lambda: bytes(MAX_TRANSACTION_BYTES + 1),
        "twice": lambda: chosen[0] if chosen else b"",
    }
    return kinds[name]()


def made(
    text: str = "x", message: PostNotice | Witness | None = None, *, key: str = "operator", sender: int = 1,
    chain_id: str = "tiny-1", valid_until_s: int = FIRST_S, nonce: int = 0,
) -> bytes:  # fmt: skip
    """A transaction by the operator."""
    messages = (message or PostNotice(1, text, FIRST_S + 60),)
    return sign_transaction(
        signer(key), chain_id=chain_id, sender=ParticipantId(sender), nonce=nonce, valid_until_s=valid_until_s,
        messages=messages,
    )  # fmt: skip


KINDS = (
    "garbage", "nothing", "cut", "longer", "signed by another", "of another chain", "expired", "a gap", "nobody's",
    "a false message", "a false claim", "oversize", "twice",
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(ARRIVED, st.sampled_from(KINDS), st.data())
def test_one_transaction_that_may_not_stand_spoils_a_proposal_wherever_it_is(
    arrived: list[bytes], kind: str, data: st.DataObject
) -> None:
    proposer, other = born(), born()
    chosen = proposer.propose(arrived)
    assert other.judge(chosen) == ACCEPT  # the control
    at = data.draw(st.integers(min_value=0, max_value=len(chosen)))
    bad = spoiled(kind, chosen)
    assert other.judge([*chosen[:at], bad, *chosen[at:]]) == REJECT
    assert other.judge(chosen) == ACCEPT


@settings(deadline=None, max_examples=40)
@given(st.lists(st.binary(max_size=200) | transactions(), max_size=6), st.booleans())
def test_no_bytes_make_the_application_fail(raws: list[bytes], again: bool) -> None:
    node = born()
    for raw in raws:
        assert node.check(raw, again=again).code >= 0
    assert node.judge(raws) in (ACCEPT, REJECT)
    assert len(node.block(*raws).tx_results) == len(raws), "what was decided is computed, whatever it is"
