"""A workflow's dependencies as a picture, in the languages of Graphviz and Mermaid."""

import json

from mcp_targets.dual_runtime.p2p.workflows.workflow_graph import Graph


def dot(graph: Graph, critical: list[str]) -> str:
    """Return a Graphviz digraph; the critical path is bold."""
    lines = ["digraph workflow {"]
    for name, step in graph.items():
        style = " [style=bold]" if name in critical else ""
        lines.append(f"  {json.dumps(name)}{style};")
        lines += [f"  {json.dumps(parent)} -> {json.dumps(name)};" for parent in step.depends_on]
    return "\n".join([*lines, "}"])


def mermaid(graph: Graph, critical: list[str]) -> str:
    """Return a Mermaid flow chart; the critical path has the class `critical`."""
    # Mermaid allows few characters in ids, so steps are numbered and their names are labels.
    ids = {name: f"s{number}" for number, name in enumerate(graph)}
    lines = ["graph TD"]
    for name, step in graph.items():
        label = name.replace('"', "#quot;")
        lines.append(f'  {ids[name]}["{label}"]')
        lines += [f"  {ids[parent]} --> {ids[name]}" for parent in step.depends_on]
    marked = ",".join(ids[name] for name in critical)
    return "\n".join([*lines, f"  class {marked} critical"])
