from xml.etree import ElementTree as ET

import msgspec

from harness.records.trial import TrialResult, Validity, Verdict
from harness.show.junit import junit
from tests.harness.results import a_result


def cases(result: TrialResult) -> tuple[dict[str, str], dict[str, str | None]]:
    """Return what is said of the suite, and of each case its message, None if it is good."""
    suite = ET.fromstring(junit(result))  # noqa: S314 -- it was just made here
    said = {}
    for case in suite:
        found = list(case)
        said[case.attrib["name"]] = found[0].attrib["message"] if found else None
    return suite.attrib, said


def asked(slo: str, *broken: str) -> TrialResult:
    result = a_result()
    return msgspec.structs.replace(
        result,
        asked=msgspec.structs.replace(result.asked, slo=slo),
        verdict=Verdict(met=not broken, broken=broken),
        validity=Validity(valid=True, reasons=()),
    )


def test_each_term_is_a_case() -> None:
    suite, said = cases(asked("failures=0,p99<1s", "p99<1s (3.1 s)"))
    assert said == {"valid": None, "failures=0": None, "p99<1s": "p99<1s (3.1 s)"}
    assert (suite["tests"], suite["failures"], suite["errors"]) == ("3", "1", "0")


def test_an_invalid_trial_is_an_error() -> None:
    result = msgspec.structs.replace(asked(""), validity=Validity(valid=False, reasons=("it was <late>", "and alone")))
    suite, said = cases(result)
    assert said == {"valid": "it was <late>; and alone"}
    assert (suite["tests"], suite["failures"], suite["errors"]) == ("1", "0", "1")
