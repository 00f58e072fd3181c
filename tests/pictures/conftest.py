"""What tests of pictures look at: the words in an SVG file."""

import re
from collections.abc import Callable

import pytest


@pytest.fixture(scope="package")
def texts() -> Callable[[str], list[str]]:
    return lambda svg: re.findall(r"<text[^>]*>([^<]*)</text>", svg)
