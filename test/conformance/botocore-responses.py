"""Second half of the botocore sweep: botocore parses the replies on standard input, one JSON line each, and compares them with what was meant.
Prints one JSON line: how many were compared, and what differs."""
import base64
import datetime
import json
import sys

import botocore.parsers
import botocore.session


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return {"$time": int(value.timestamp() * 1000)}
    return value


def difference(wanted, got, path=""):
    if wanted == got:
        return None
    if isinstance(wanted, dict) and isinstance(got, dict):
        pairs = [(wanted.get(key), got.get(key), "%s.%s" % (path, key)) for key in sorted(set(wanted) | set(got))]
    elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        pairs = [(x, y, "%s[%d]" % (path, i)) for i, (x, y) in enumerate(zip(wanted, got))]
    else:
        return ("%s: wanted %r, got %r" % (path, wanted, got))[:200]
    return next((found for found in (difference(*pair) for pair in pairs) if found), None)


def main():
    session = botocore.session.get_session()
    models, parsers, compared, differences = {}, {}, 0, []
    for line in sys.stdin:
        reply = json.loads(line)
        service, protocol = reply["service"], reply["protocol"]
        model = models.setdefault(service, None) or session.get_service_model(service)
        models[service] = model
        parser = parsers.setdefault(protocol, botocore.parsers.create_parser(protocol))
        response = {"status_code": reply["status"], "headers": reply["headers"], "body": base64.b64decode(reply["body"])}
        compared += 1
        where = "%s/%s.%s" % (service, protocol, reply["operation"])
        try:
            parsed = parser.parse(response, model.operation_model(reply["operation"]).output_shape)
        except Exception as error:  # whatever the parser cannot read is the finding
            differences.append("%s: %r" % (where, error))
            continue
        parsed.pop("ResponseMetadata", None)
        if "error" in reply:
            parsed = {key: parsed.get("Error", {}).get(key) for key in ("Code", "Message")}
            found = difference(reply["error"], parsed)
        else:
            found = difference(reply["output"], plain(parsed))
        if found:
            differences.append("%s%s" % (where, found))
    print(json.dumps({"compared": compared, "differences": differences}))


main()
