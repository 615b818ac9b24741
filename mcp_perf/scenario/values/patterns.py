"""Regular expressions that cannot hang: Rust's engine takes a time that is linear in the text.

So they have neither back-references nor lookaround. Only the size of a pattern and the size of the
text still have to be bounded.
"""

from collections.abc import Callable
from typing import Final

import jsonschema_rs

from mcp_perf.scenario.problems.wording import InputError, quote

MOST_MATCHED: Final = 65_536
"""How many characters of a text are matched: the worst pattern takes a quarter of a second."""
_LONGEST: Final = 1024
_OPTIONS: Final = jsonschema_rs.RegexOptions(size_limit=1 << 16, dfa_size_limit=1 << 20)


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Return a function that tells whether a pattern is found in a text. Raises InputError."""
    if "${" in pattern:
        hint = "write contains instead, which may; for a literal ${ write \\$\\{"
        raise InputError(f"{quote(pattern)}: a pattern cannot contain ${{…}}", hint)
    try:
        if len(pattern) <= _LONGEST:
            schema = {"pattern": pattern}
            return jsonschema_rs.validator_for(schema, pattern_options=_OPTIONS).is_valid
    except jsonschema_rs.ValidationError:
        hint = "write it in Rust's regex syntax: without (?=…), \\1 and large repetition counts"
        raise InputError(f"{quote(pattern)} is not a valid pattern", hint) from None
    raise InputError(f"{quote(pattern)} is longer than 1 KiB", "write a shorter pattern")
