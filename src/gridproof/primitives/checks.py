"""Is this bytes, and how many? For values from the wire, which may be of any type whatever their annotation says."""

from typing import TypeGuard

__all__ = ["has_size", "is_bytes", "is_text", "shown", "size_of"]


def is_bytes(value: object) -> TypeGuard[bytes]:
    """Whether the value is bytes."""
    return isinstance(value, bytes)


def is_text(value: object) -> TypeGuard[str]:
    """Whether the value is text."""
    return isinstance(value, str)


def has_size(value: object, size: int) -> TypeGuard[bytes]:
    """Whether the value is exactly `size` bytes."""
    return isinstance(value, bytes) and len(value) == size


def size_of(value: object) -> int:
    """How many bytes the value is; 0 for what is not bytes. Errors show it where the value itself is secret."""
    return len(value) if isinstance(value, bytes) else 0


def shown(value: object) -> bytes:
    """The value for an error to show; no bytes for what is not bytes."""
    return value if isinstance(value, bytes) else b""
