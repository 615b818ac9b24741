"""`junit.xml`: one testsuite per run, one testcase per gate, and one for the verdict.

CI reads a skipped testcase as success. An inconclusive gate may be skipped only because the last
testcase, the verdict, then fails.
"""

from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

from mcp_perf import numbers
from mcp_perf.results.document.document import Report
from mcp_perf.results.document.part import VerdictName
from mcp_perf.results.render.words import gate_numbers, wording

_PASSED: Final = "system-out"
"""The element of a testcase that passed; any other says how it ended."""
_OUTCOMES: Final = {
    "PASS": _PASSED,
    "FAIL": "failure",
    "INVALID": "error",
    "INCONCLUSIVE": "skipped",
}
Case = tuple[str, str, str, VerdictName, str]
"""The class and the name of a testcase, its element, the verdict, and what is said of it."""


def render(report: Report) -> str:
    """Write the run as JUnit XML."""
    root = ET.Element("testsuites", {"name": "mcp-perf"})
    suite = ET.SubElement(root, "testsuite", {"name": report.scenario})
    facts = {
        "run_id": report.run_id,
        "verdict": report.verdict,
        "exit_code": str(report.exit_code),
        "complete": str(report.complete).lower(),
    }
    properties = ET.SubElement(suite, "properties")
    for name, value in facts.items():
        ET.SubElement(properties, "property", {"name": name, "value": value})
    for classname, name, tag, verdict, said in _cases(report):
        attributes = {"classname": classname, "name": name, "time": "0"}
        case = ET.SubElement(suite, "testcase", attributes)
        why = {} if tag == _PASSED else {"type": verdict, "message": said}
        if said or why:
            ET.SubElement(case, tag, why).text = said
    suite.set("tests", str(len(suite.findall("testcase"))))
    for total, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(total, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("time", f"{report.duration_s:.3f}")
    suite.set("timestamp", report.started.removesuffix("Z"))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _cases(report: Report) -> Iterator[Case]:
    """Yield the gates, the metrics that are judged against the baseline, and the verdict."""
    for gate in report.gates:
        said = f"measured {numbers.plain(gate_numbers.gate(gate))}"
        if gate.verdict != "PASS" and gate.reason:
            said = f"{gate.reason} ({said})"
        yield report.scenario, gate.gate, _OUTCOMES[gate.verdict], gate.verdict, said
    for row in report.regressions:
        base, new = (numbers.plain(numbers.measured(one, row.unit)) for one in (row.base, row.new))
        if row.verdict is not None:
            said = f"base {base}, now {new}" if row.verdict == "PASS" else row.reason
            name = f"{row.arm}.{row.metric}"
            yield f"{report.scenario}.baseline", name, _OUTCOMES[row.verdict], row.verdict, said
    # It passes only if the run passed, was not cut off, and has exit code 0.
    tag = "error" if report.verdict == "INVALID" or not report.complete else "failure"
    reasons = [reason.line for reason in report.reasons] or [wording.summary(report)]
    said = "\n".join([*reasons, *([] if report.complete else [wording.INCOMPLETE])])
    passed = report.verdict == "PASS" and report.exit_code == 0 and report.complete
    yield (
        *(report.scenario, "verdict"),
        *((_PASSED, report.verdict, "") if passed else (tag, report.verdict, said)),
    )
