import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

_EXAMPLE = Path(__file__).with_name("example_report.py")


@pytest.fixture(scope="session")
def example() -> ModuleType:
    """Load the builder of documents: `example.report()`, `.hostile()`, `.empty()` and more."""
    spec = importlib.util.spec_from_file_location("example_report", _EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
