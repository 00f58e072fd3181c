"""The one error a user is meant to read: wrong input, found where it entered."""


class InputError(ValueError):
    """Input that cannot be used; the message names the thing, its value, what was expected and the cure.

    Launchers print the message as one paragraph without a traceback and exit with code 2.
    """
