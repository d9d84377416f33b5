"""The loop that the driver programs share: one JSON request per line in, one JSON answer per line out.

Whatever else a library or a JVM prints on standard output goes to standard error instead.
"""

import json
import os
import sys
import traceback


def encode_float(value):
    """NaN and the infinities have no JSON form; they travel as strings."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def serve(handlers, describe_error):
    """Answers requests until standard input ends. `describe_error` gives the chain of causes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"id": request["id"]}
        try:
            answer["result"] = handlers[request["method"]](**request["params"])
        except Exception as error:
            answer["error"] = {
                "causes": describe_error(error),
                "details": traceback.format_exc()[-20000:],
            }
        answers.write(json.dumps(answer, allow_nan=False) + "\n")
        answers.flush()
