"""Lookups and generators: everything a scenario may compute. No template engine, no code.

`compile_template` turns a tree with `${name}` in it into a template; `compile_generators` turns
`with:` into what draws the values of the next journey.
"""

from mcp_perf.scenario.values.generators import (
    BUILTINS,
    Filler,
    GeneratorError,
    Generators,
    compile_generators,
)
from mcp_perf.scenario.values.templates import (
    LookupFailed,
    Template,
    TemplateError,
    compile_template,
)

__all__ = [
    "BUILTINS",
    "Filler",
    "GeneratorError",
    "Generators",
    "LookupFailed",
    "Template",
    "TemplateError",
    "compile_generators",
    "compile_template",
]
