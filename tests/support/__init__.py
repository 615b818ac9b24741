"""What tests of several folders share: simulated runs, pages, commands, waiting."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
"""The checkout."""
