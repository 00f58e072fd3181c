"""Who writes: of several processes of a run the chief. Without TensorFlow, since pictures are written without it."""


class _Role:
    is_chief = True


def is_chief() -> bool:
    """Whether this process is the one that writes files and prints."""
    return _Role.is_chief


def set_chief(flag: bool) -> None:
    """For a process that joins others; one that is alone is the chief."""
    _Role.is_chief = flag
