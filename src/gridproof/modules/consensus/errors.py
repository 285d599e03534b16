"""Reasons for which consensus refuses. Numbers are part of the protocol: never reused."""

from typing import ClassVar

from gridproof.errors import Refusal


class ConsensusError(Refusal):
    """Root of this module's refusals."""


class NoValidators(ConsensusError):
    """This ledger has one node and no validators: nobody votes on it; nothing changed."""

    code: ClassVar[int] = 15001


class NotValidator(ConsensusError):
    """The sender is no validator, so its support counts for nothing; nothing changed. Ask one who is."""

    code: ClassVar[int] = 15002
    participant: int


class OtherGeneration(ConsensusError):
    """Something was decided since, and all that was open is void; nothing changed. Look again and support it anew."""

    code: ClassVar[int] = 15003
    generation: int
    present: int


class AlreadySupported(ConsensusError):
    """The sender supports this very change already; its support stands. Nothing more is needed."""

    code: ClassVar[int] = 15004
    proposal: bytes


class BadConsensusKey(ConsensusError):
    """The bytes are no ed25519 key that only its holder can sign for; nothing changed. Send the node's own key."""

    code: ClassVar[int] = 15005
    key: bytes


class BadPossession(ConsensusError):
    """The key did not sign that it is this participant's on this ledger; nothing changed. Have its node sign it."""

    code: ClassVar[int] = 15006
    participant: int
    key: bytes


class BadPower(ConsensusError):
    """A validator's power lies between 1 and the limit; nothing changed. To end it, remove the validator."""

    code: ClassVar[int] = 15007
    power: int
    limit: int


class ConsensusKeyUsed(ConsensusError):
    """The key was a validator's before, or is another's; nothing changed. Make a fresh one."""

    code: ClassVar[int] = 15008
    key: bytes
    participant: int


class TooManyValidators(ConsensusError):
    """The ledger holds its most validators; nothing changed. Remove one first."""

    code: ClassVar[int] = 15009
    limit: int


class TooMuchPower(ConsensusError):
    """One validator would hold a third: its node alone could stop the ledger; nothing changed. Give it less power."""

    code: ClassVar[int] = 15010
    power: int
    total: int


class LastValidator(ConsensusError):
    """Without this one the ledger would have no validator and stand still; it stays. Add another first."""

    code: ClassVar[int] = 15011
    participant: int


class ValidatorUnknown(ConsensusError):
    """The participant is no validator; nothing changed. `consensus/validators` lists those that are."""

    code: ClassVar[int] = 15012
    participant: int


class NothingChanges(ConsensusError):
    """That is how it is already; nothing changed."""

    code: ClassVar[int] = 15013


class UpgradeTooSoon(ConsensusError):
    """Nodes need time to install a program; nothing changed. Choose a later height."""

    code: ClassVar[int] = 15014
    height: int
    earliest: int


class VersionNotAbove(ConsensusError):
    """The ledger goes by this version of the program or a later one already; nothing changed. Name a newer one."""

    code: ClassVar[int] = 15015
    version: int
    present: int


class NoUpgrade(ConsensusError):
    """No upgrade is scheduled; nothing changed."""

    code: ClassVar[int] = 15016
