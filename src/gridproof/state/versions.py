"""Which version of each module is in force, and how a ledger goes over to a newer program.

A ledger without validators goes over at once: the first block of a newer program runs the modules' migrations. Where
validators agree, all nodes must change in one block. So:
- U-1 the version in force is the one that the state names; a newer program works under it, with the modules' versions,
  rules and messages of that version (what reads a view without rules, as queries and `Accounts` do, asks
  `system.version_of`; the envelopes of the upgrade's block are still held against the state before it);
- U-2 from the height of a scheduled upgrade on its version is in force; an older program stops there and says so;
- U-3 at that height, before anything else in the block, the modules' migrations run as far as that version goes.
"""

from . import system
from .context import Context
from .errors import GenesisError, UpgradeNeededError, VersionError
from .module import Module
from .records import Message
from .tables import Reader, Writer
from .validators import ValidatorBook


class Versions:
    """Knows what is in force.

    Args:
        modules: the program's.
        book: who votes, and on which version they agreed.
        program: the program's version.
    """

    def __init__(self, modules: tuple[Module, ...], book: ValidatorBook, program: int) -> None:
        self._modules = modules
        self._book = book
        self._program = program
        self._unknown: dict[int, frozenset[type[Message]]] = {}

    def stored(self, view: Reader) -> int:
        """The version under which the state stands."""
        return self._book.version(view) or self._program

    def in_force(self, view: Reader, height: int) -> int:
        """The version whose rules a block follows (rules U-1, U-2); it may be newer than this program.

        Args:
            view: the state before the block.
            height: the block's.
        """
        due = self._book.upgrade(view)
        return due.version if due is not None and height >= due.height else self.stored(view)

    def require_in_force(self, view: Reader, height: int) -> int:
        """As `in_force`, for a block that this program is to work on.

        Raises:
            UpgradeNeededError: the version is newer than this program.
        """
        version = self.in_force(view, height)
        if version > self._program:
            raise UpgradeNeededError(height=height, needed=version, program=self._program)
        return version

    def not_yet(self, version: int) -> frozenset[type[Message]]:
        """Messages that the program knows and the ledger does not take yet under a version (rule U-1)."""
        if version not in self._unknown:
            self._unknown[version] = frozenset(
                each.message
                for module in self._modules
                for each in module.routes
                if module.version_at(version) < each.since
            )
        return self._unknown[version]

    def require_readable(self, view: Reader, height: int) -> None:
        """Return if this program can go on from a stored state (an upgrade to come is told at its height).

        Args:
            view: the state.
            height: of its block.

        Raises:
            UpgradeNeededError: a newer program wrote it.
            VersionError: no migration leads from there.
        """
        if self.stored(view) > self._program:
            raise UpgradeNeededError(height=height + 1, needed=self.stored(view), program=self._program)
        for module in self._modules:
            stored = system.VERSIONS.get(view, module.number, default=module.version)
            steps = {migration.from_version for migration in module.migrations}
            if stored > module.version or any(step not in steps for step in range(stored, module.version)):
                raise VersionError(module=module.name, stored=stored, program=module.version)

    def lay(self, ctx: Writer, asked: int | None) -> None:
        """Write down the versions that a ledger is born with.

        Args:
            ctx: the state in the making.
            asked: what its genesis asks for; the program's own where it is None.

        Raises:
            GenesisError: this program is older than that.
        """
        version = self._program if asked is None else asked
        if version > self._program:
            raise GenesisError(detail=f"the ledger begins with version {version}, this program has {self._program}")
        for module in self._modules:
            if module.version_at(version):
                system.VERSIONS.put(ctx, module.number, value=module.version_at(version))

    def enter(self, ctx: Context, version: int) -> int | None:
        """Bring the modules' records to the version that a block follows (rule U-3).

        Args:
            ctx: the state at the block's beginning.
            version: as `require_in_force` gave it.

        Returns:
            The version, where the validators' upgrade takes effect in this block; else None.
        """
        for module in self._modules:
            self._migrate(ctx, module, module.version_at(version))
        agreed = self._book.version(ctx)
        if agreed is None or agreed == version:
            return None
        self._book.complete_upgrade(ctx)
        return version

    def _migrate(self, ctx: Context, module: Module, target: int) -> None:
        stored = system.version_of(ctx, module.number)
        if not stored and target:  # a module that is new to this ledger begins at its own version
            system.VERSIONS.put(ctx, module.number, value=target)
            return
        steps = {migration.from_version: migration for migration in module.migrations}
        for version in range(stored, target):
            steps[version].run(ctx)
            system.VERSIONS.put(ctx, module.number, value=version + 1)
