"""What tests of several folders share: runs that never happened, pages, commands, waiting."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
"""The checkout."""
