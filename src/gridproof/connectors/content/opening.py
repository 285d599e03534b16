"""The content store that the settings name."""

from pathlib import Path

from gridproof.connectors.config import Settings

from .folder import FolderContent
from .kubo import KuboContent
from .port import ContentStore


def open_content(settings: Settings, root: Path) -> ContentStore:
    """Open the content store of a community.

    Nothing is made or asked before its first use.

    Args:
        settings: the community's.
        root: the community's folder.
    """
    if settings.content.store == "kubo":
        return KuboContent(settings.content.kubo_url)
    return FolderContent(root / settings.paths.content)
