"""`junit.xml`: one testsuite per run, one testcase per gate, and one for the verdict.

CI reads a skipped testcase as success. An inconclusive gate may be skipped only because the last
testcase, the verdict, then fails.
"""

import re
from typing import Final
from xml.etree import ElementTree as ET

from mcp_perf.results.document.comparison import Regression
from mcp_perf.results.document.document import GateResult, Report
from mcp_perf.results.render.words import numbers, wording

_NOT_XML: Final = re.compile("[^\t\n\r -~\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Everything outside the Char production of XML 1.0, and the controls which it discourages."""
_OUTCOMES: Final = {"FAIL": "failure", "INVALID": "error", "INCONCLUSIVE": "skipped"}


def _clean(text: str) -> str:
    return _NOT_XML.sub("", text)


def _testcase(suite: ET.Element, classname: str, name: str) -> ET.Element:
    attributes = {"classname": _clean(classname), "name": _clean(name), "time": "0"}
    return ET.SubElement(suite, "testcase", attributes)


def _outcome(case: ET.Element, tag: str, kind: str, message: str) -> None:
    ET.SubElement(case, tag, {"type": kind, "message": _clean(message)}).text = _clean(message)


def _gate(suite: ET.Element, classname: str, gate: GateResult) -> None:
    case = _testcase(suite, classname, gate.gate)
    measured = f"measured {numbers.measured(gate.measured, gate.unit)}"
    if gate.verdict == "PASS":
        ET.SubElement(case, "system-out").text = _clean(measured)
        return
    message = f"{gate.reason} ({measured})" if gate.reason else measured
    _outcome(case, _OUTCOMES[gate.verdict], gate.verdict, message)


def _regression(suite: ET.Element, classname: str, row: Regression) -> None:
    """Write a metric against the baseline; what is only shown is no test."""
    if row.verdict is None:
        return
    case = _testcase(suite, f"{classname}.baseline", f"{row.arm}.{row.metric}")
    if row.verdict == "PASS":
        measured = (numbers.measured(value, row.unit) for value in (row.base, row.new))
        ET.SubElement(case, "system-out").text = _clean("base {}, now {}".format(*measured))
    else:
        _outcome(case, _OUTCOMES[row.verdict], row.verdict, row.reason)


def _verdict(suite: ET.Element, report: Report) -> None:
    """Fail unless the run passed, ended by itself and says so with exit code 0."""
    case = _testcase(suite, report.scenario, "verdict")
    reasons = [reason.line for reason in report.reasons] or [wording.summary(report)]
    if not report.complete:
        reasons.append(wording.INCOMPLETE)
    message = "\n".join(reasons)
    if report.verdict == "INVALID" or not report.complete:
        _outcome(case, "error", report.verdict, message)
    elif report.verdict != "PASS" or report.exit_code != 0:
        _outcome(case, "failure", report.verdict, message)


def render(report: Report) -> str:
    """Write the run as JUnit XML."""
    root = ET.Element("testsuites", {"name": "mcp-perf"})
    suite = ET.SubElement(root, "testsuite", {"name": _clean(report.scenario)})
    facts = {
        "run_id": report.run_id,
        "verdict": report.verdict,
        "exit_code": str(report.exit_code),
        "complete": str(report.complete).lower(),
    }
    properties = ET.SubElement(suite, "properties")
    for name, value in facts.items():
        ET.SubElement(properties, "property", {"name": name, "value": _clean(value)})
    for gate in report.gates:
        _gate(suite, report.scenario, gate)
    for row in report.regressions:
        _regression(suite, report.scenario, row)
    _verdict(suite, report)
    _count(suite, report)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _count(suite: ET.Element, report: Report) -> None:
    suite.set("tests", str(len(suite.findall("testcase"))))
    for total, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(total, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("time", f"{report.duration_s:.3f}")
    suite.set("timestamp", _clean(report.started).removesuffix("Z"))
