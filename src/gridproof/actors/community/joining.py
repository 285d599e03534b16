"""Bringing the ledger in line with the settings: who and what was added to them joins, and privacy follows them."""

from gridproof.actors.operator import Operator
from gridproof.connectors.config import Region
from gridproof.connectors.ledger import LedgerClient
from gridproof.domain import RegionId
from gridproof.modules.registry import queries as registry
from gridproof.modules.registry.messages import AddRegion
from gridproof.modules.registry.types import Role

from .community import Community
from .founding import region_parameters
from .people import CONTROL_CENTER, OPERATOR, equip


def join(community: Community, client: LedgerClient) -> tuple[str, ...]:
    """Let regions and data aggregators of the settings that the ledger does not know yet join it; harmless otherwise.

    So does the control centre, where the community was founded before it had prices.

    Privacy parameters that were changed are told to the ledger; they count from the next month that is opened. All else
    of a region that is on the ledger already stays: `gridproof doctor` names what differs.

    Next keys of participants that the ledger names are put in their place.

    Returns:
        The participants that joined.

    Raises:
        FileError, SecretFileError: keys cannot be read or written.
        Refusal: the ledger refuses.
        ClientError: the ledger gave no answer.
    """
    settings = community.settings
    community.settle_keys(client)
    operator = Operator(community.sender(client, OPERATOR))
    for region in settings.regions:
        _join_region(community, client, operator, region)
    known = {participant.name for _, participant in client.ask(registry.participants)}
    wanted = [(aggregator.name, Role.DATA_AGGREGATOR) for aggregator in settings.aggregators]
    new = [each for each in (*wanted, (CONTROL_CENTER, Role.CONTROL_CENTER)) if each[0] not in known]
    for name, role in new:
        receipts = role is Role.DATA_AGGREGATOR
        keys = equip(community.folder, community.secrets, name, community.randomness, receipts=receipts)
        operator.register(name, role, keys)
    return tuple(name for name, _ in new)


def _join_region(community: Community, client: LedgerClient, operator: Operator, region: Region) -> None:
    known = client.ask(registry.region, region.number)
    privacy = community.settings.privacy
    if known is None:
        operator.add_region(AddRegion(**region_parameters(community.settings, region)))
    elif (known.k_min, known.min_live_permille) != (privacy.k_min, privacy.min_live_permille):
        operator.set_privacy(RegionId(region.number), privacy.k_min, privacy.min_live_permille)
