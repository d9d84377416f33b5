"""The loop that the driver programs share: one JSON request per line in, one JSON answer per line out.

Whatever else a library or a JVM prints on standard output goes to standard error instead.
"""

import base64
import decimal
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


def encode_nested(value):
    """The text of a struct (a list of pairs), list or map (a dictionary); see nested-text.ts."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, (bytes, bytearray)):
        return json.dumps(base64.b64encode(bytes(value)).decode())
    if isinstance(value, list):
        return "[%s]" % ",".join(encode_nested(item) for item in value)
    if isinstance(value, dict):
        pairs = sorted(value.items())
        return "{%s}" % ",".join(encode_pair(pair) for pair in pairs)
    if isinstance(value, tuple):
        return "{%s}" % ",".join(encode_pair(pair) for pair in value)
    if isinstance(value, decimal.Decimal):
        return json.dumps(format(value, "f"))
    return json.dumps(value.isoformat() if hasattr(value, "isoformat") else value, ensure_ascii=False)


def encode_pair(pair):
    name, value = pair
    return "%s:%s" % (json.dumps(name, ensure_ascii=False), encode_nested(value))


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
