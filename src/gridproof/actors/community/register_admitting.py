"""Which registers can still count: asked when they are imported, so that no bill is made of another value unseen.

Rules:
    E-1 A register is one of a meter that is enrolled from or until its instant, or at it, and reports its channel.
    E-2 Where one meter of a name ends and another begins, a register of that name would be both's: it is refused.
    E-3 What a meter signed stays: a register at an instant up to which it signed comes too late.
    E-4 A register counts from the enrolment on, so that one is needed; without it, all that a used meter ever counted
        would be billed at once. And it only counts upwards.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from gridproof.connectors.register_file import RegisterFault
from gridproof.connectors.registers import RegisterReading, Registers
from gridproof.domain import Direction

from .community import Community, MeterRow


class RegisterAdmission:
    """Judges registers by the bill provider's book of meters, and by what is there already.

    Args:
        community: whose.
        registers: what is there.
    """

    def __init__(self, community: Community, registers: Registers) -> None:
        self._period_s = community.period_s
        self._registers = registers
        self._rows: dict[str, list[MeterRow]] = {}
        for row in community.meters():
            self._rows.setdefault(row.name, []).append(row)

    def __call__(self, readings: Sequence[RegisterReading]) -> Mapping[int, RegisterFault]:
        """Why registers cannot count, by their position; nothing of those that can."""
        faults: dict[int, RegisterFault] = {}
        groups: defaultdict[tuple[MeterRow, Direction], list[int]] = defaultdict(list)
        for at, reading in enumerate(readings):
            found = self._row_of(reading)
            if isinstance(found, RegisterFault):
                faults[at] = found
            else:
                groups[found, reading.channel].append(at)
        for (row, channel), members in groups.items():
            faults |= self._of_stretch(row, channel, {at: readings[at] for at in members})
        return faults

    def _row_of(self, reading: RegisterReading) -> MeterRow | RegisterFault:
        """The one meter of the name whose enrolment the instant belongs to, both ends included."""
        k = reading.at_s // self._period_s
        rows = self._rows.get(reading.meter, [])
        near = [row for row in rows if row.from_k <= k and (row.until_k == 0 or k <= row.until_k)]
        if len(near) > 1:  # E-2
            return RegisterFault.TWO_METERS
        if not near:  # E-1
            return RegisterFault.BEFORE_ENROLMENT if k < rows[0].from_k else RegisterFault.AFTER_ENROLMENT
        if reading.channel not in near[0].channels:
            return RegisterFault.NOT_ON_CHANNEL
        last = self._registers.last_signed(near[0].handle, reading.channel)
        return RegisterFault.SIGNED if last is not None and k <= last.span.end_k else near[0]  # E-3

    def _of_stretch(
        self, row: MeterRow, channel: Direction, new: Mapping[int, RegisterReading]
    ) -> dict[int, RegisterFault]:
        """Hold new registers of a meter's enrolment against one another and those that are there (E-4)."""
        start_s = row.from_k * self._period_s
        end_s = row.until_k * self._period_s if row.until_k else None
        there = self._registers.of_channel(row.name, channel)
        known = [(each.at_s, each.register_wh, -1) for each in there]
        known += [(each.at_s, each.register_wh, at) for at, each in new.items()]
        known = sorted(each for each in known if start_s <= each[0] and (end_s is None or each[0] <= end_s))
        if known[0][0] != start_s:
            has_signed = self._registers.last_signed(row.handle, channel) is not None
            return dict.fromkeys(new, RegisterFault.FOLLOWED if has_signed else RegisterFault.NO_START)
        faults, highest_wh = {}, 0
        for _, register_wh, at in known:
            if at >= 0 and register_wh < highest_wh:
                faults[at] = RegisterFault.FALLS
            highest_wh = max(highest_wh, register_wh)
        return faults
