"""Prints, for each file, what compliance-checker says of it: by checker the points, those possible, and each complaint."""

import json
import sys
import tempfile
import warnings

from compliance_checker.runner import CheckSuite, ComplianceChecker

CHECKERS = ["cf:1.8", "acdd:1.3"]

warnings.simplefilter("ignore")
CheckSuite.load_all_available_checkers()
with tempfile.NamedTemporaryFile(suffix=".json") as found:
    passed, errors = ComplianceChecker.run_checker(
        sys.argv[1:], CHECKERS, 0, "normal", output_filename=found.name, output_format="json_new"
    )
    told = json.load(found)
scores = []
for path in sys.argv[1:]:
    file = {}
    for checker in CHECKERS:
        result = told[path][checker]
        complaints = [message for each in result["all_priorities"] for message in each["msgs"]]
        file[checker] = [result["scored_points"], result["possible_points"], complaints]
    scores.append(file)
print(json.dumps(scores))
