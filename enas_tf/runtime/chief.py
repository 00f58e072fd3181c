"""The chief: the one process of a run that writes. TensorFlow is not imported, since pictures do without it."""


class _Role:
    """The role of this process."""

    is_chief = True


def is_chief() -> bool:
    """Return whether this process is the one that writes files and prints."""
    return _Role.is_chief


def set_chief(flag: bool) -> None:
    """Set whether this process is the chief. A process that is alone is the chief without this call."""
    _Role.is_chief = flag
