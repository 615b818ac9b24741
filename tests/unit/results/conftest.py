from types import ModuleType

import pytest

from tests.support import example_report


@pytest.fixture(scope="session")
def example() -> ModuleType:
    """Give the builder of documents: `example.report()`, `.hostile()`, `.empty()` and more."""
    return example_report
