"""The docket: what was tried against the community, at which door, and what came of it.

An attack counts as refused or found only if every try of it was, and for the very reason that is meant to stop it. A
try that goes through, or ends otherwise, is told as that.
"""

import re
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

from gridproof.errors import GridproofError, Refusal


class Result(Enum):
    """What came of a try."""

    REFUSED = "refused"
    FOUND = "found"
    SUCCEEDED = "succeeded"
    UNCLEAR = "unclear"
    NOT_TRIED = "not tried"

    @property
    def is_well(self) -> bool:
        """Whether the community stood it."""
        return self in (Result.REFUSED, Result.FOUND)


class Charge(NamedTuple):
    """An attack or fault.

    Attributes:
        title: for people.
        by: who does it.
        tried: what, in a few words.
    """

    title: str
    by: str
    tried: str


CHARGES: Final[Mapping[str, Charge]] = MappingProxyType(
    {
        "silent_meter": Charge("silent meter", "a dead meter", "sends nothing for a quarter of the time"),
        "half_sent_record": Charge("half-sent record", "a lossy line", "loses the second half of a reading"),
        "absurd_value": Charge("absurd value", "a broken register", "reads 2^31 Wh in a quarter-hour"),
        "forged_identity": Charge("forged identity", "a stranger", "signs a record with a key of his own"),
        "altered_record": Charge("altered record", "someone on the line", "adds 1,000 Wh to a record under way"),
        "replayed_record": Charge("replayed record", "an eavesdropper", "sends the last period's record again"),
        "late_record": Charge("late record", "whoever kept it", "hands the lost half in after the window"),
        "late_batch": Charge("late batch", "an aggregator", "brings the lost half when the slot is closed"),
        "dropped_meter": Charge("dropped meter", "an aggregator", "signs for a meter's record and drops it"),
        "other_live_set": Charge("other live set", "the bill provider's key", "opens the masks of all but one meter"),
        "second_live_set": Charge("second live set", "the bill provider's key", "fixes a live set without that meter"),
        "wrong_price": Charge("wrong price", "the control centre's key", "announces a price that is 0.05 too high"),
        "swapped_price": Charge("swapped price", "the control centre's key", "announces another slot's price"),
        "under_reporting": Charge("under-reporting", "a dishonest meter", "reports a tenth of what it draws"),
        "changed_bill": Charge(
            "changed bill", "the bill provider's key", "bills 1,000 Wh more, with all sums to match"
        ),
        "foreign_bill": Charge("foreign bill", "the bill provider's key", "registers another household's bill"),
        "bill_twice": Charge("bill registered twice", "the bill provider's key", "registers a bill a second time"),
    }
)


class Try(NamedTuple):
    """One try.

    Attributes:
        attack: a name in `CHARGES`.
        door: where it was stopped, or got through.
        result: what came of it.
        told: how.
        reason: the error's class where it was refused.
    """

    attack: str
    door: str
    result: Result
    told: str
    reason: str = ""


class Docket:
    """Collects tries."""

    def __init__(self) -> None:
        self.tries: list[Try] = []

    def refused(
        self, attack: str, door: str, answer: GridproofError | None, *reasons: type[GridproofError], more: str = ""
    ) -> None:
        """Note the answer to a try.

        Args:
            attack: a name in `CHARGES`.
            door: who answered.
            answer: the error, or None where it was taken.
            reasons: the errors that are meant to stop it.
            more: what was tried, where a door is tried twice.
        """
        what = f"{more}: " if more else ""
        if answer is None:
            self.tries.append(Try(attack, door, Result.SUCCEEDED, f"{what}it was taken"))
            return
        result = Result.REFUSED if isinstance(answer, reasons) else Result.UNCLEAR
        code = f" ({answer.code})" if isinstance(answer, Refusal) and answer.code else ""
        told = f"{what}{_clause(answer)}{code}"
        self.tries.append(Try(attack, door, result, told, type(answer).__name__))

    def found(self, attack: str, door: str, told: str, *, is_found: bool) -> None:
        """Note whether a fault was found.

        Args:
            attack: a name in `CHARGES`.
            door: who found it.
            told: how, or what was found instead.
            is_found: whether it was.
        """
        self.tries.append(Try(attack, door, Result.FOUND if is_found else Result.SUCCEEDED, told))

    def of(self, attack: str) -> list[Try]:
        """The tries of an attack, in order."""
        return [each for each in self.tries if each.attack == attack]

    def result(self, attack: str) -> Result:
        """What came of an attack: the worst of its tries."""
        results = [each.result for each in self.of(attack)]
        for worst in (Result.SUCCEEDED, Result.UNCLEAR):
            if worst in results:
                return worst
        return results[0] if results else Result.NOT_TRIED

    def results(self) -> dict[str, Result]:
        """What came of all attacks."""
        return {attack: self.result(attack) for attack in CHARGES}


def _clause(error: GridproofError) -> str:
    """The first words of an error's sentence: what was wrong."""
    detail = str(error.particulars.get("detail", ""))
    if type(error).__name__ == "CheckFailed" and detail:
        return detail
    sentence = re.split(r"[;:.,](?: |$)", error.reason)[0]
    return sentence[:1].lower() + sentence[1:]
