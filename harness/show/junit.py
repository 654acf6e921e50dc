"""A trial as a test of JUnit, which CI systems show: each term of the SLO is a case, and so is that it is valid."""

from xml.etree import ElementTree as ET

from harness.records.trial import TrialResult
from harness.trial.figures.slo import parse_slo


def junit(result: TrialResult) -> bytes:
    """Return the report in XML: what was missed is a failure, what makes the figures say nothing an error."""
    broken = {text.partition(" (")[0]: text for text in result.verdict.broken}
    terms = parse_slo(result.asked.slo).terms
    load = result.asked.load
    suite = ET.Element(
        "testsuite",
        name=f"{result.asked.target.name}: N={load.n}, C={load.c}",
        timestamp=result.started_at.isoformat(),
        time=f"{result.seen.connect_phase_s + result.seen.events_phase_s:.3f}",
        tests=str(len(terms) + 1),
        failures=str(len(broken)),
        errors=str(int(not result.validity.valid)),
    )
    valid = _case(suite, result, "valid")
    if not result.validity.valid:
        ET.SubElement(valid, "error", message="; ".join(result.validity.reasons))
    for term in terms:
        case = _case(suite, result, term.text)
        if term.text in broken:
            ET.SubElement(case, "failure", message=broken[term.text])
    ET.indent(suite)
    text: str = ET.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _case(suite: ET.Element, result: TrialResult, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=result.asked.target.name, name=name)
