"""Prints csbschema's verdict on each JSON file of a directory: name -> paths of its errors (none: it passes)."""

import json
import pathlib
import sys

from csbschema.validators import validate_b12_3_1_0_2024_04

verdicts = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
    try:
        _, result = validate_b12_3_1_0_2024_04(path)
        verdicts[path.stem] = sorted({error["path"] for error in result.get("errors", [])})
    except Exception as error:  # It stops at what it does not expect; such a file does not pass.
        verdicts[path.stem] = ["crash: " + repr(error)]
print(json.dumps(verdicts))
