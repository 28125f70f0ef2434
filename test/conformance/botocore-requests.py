"""First half of the botocore sweep: for every operation of the services named on the command line (by serviceId), random input serialised as
botocore does in every protocol that the service has. One JSON line a request on standard output, with the input meant and an output to answer."""
import base64
import datetime
import json
import random
import sys
import urllib.parse

import botocore.serialize
import botocore.session

MAX_DEPTH = 9
PROTOCOLS = ("smithy-rpc-v2-cbor", "json", "rest-json", "query", "ec2")


def generate(shape, depth=0, stack=()):
    """A random value of a shape; None where it would never end."""
    kind = shape.type_name
    if kind == "structure":
        if shape.name in stack or depth > MAX_DEPTH:
            return None
        members = shape.members
        if getattr(shape, "is_tagged_union", False):
            members = dict([random.choice(list(members.items()))])
        value = {}
        for name, member in members.items():
            item = generate(member, depth + 1, stack + (shape.name,))
            if item is not None:
                value[name] = item
        return value if value or depth == 0 else None
    if kind == "list":
        items = [generate(shape.member, depth + 1, stack) for _ in range(random.choice((1, 2, 2, 3)))]
        return None if any(item is None for item in items) else items
    if kind == "map":
        keys = [shape.key.enum[i % len(shape.key.enum)] if shape.key.enum else "k%d <&>" % i for i in range(2)]
        value = {key: generate(shape.value, depth + 1, stack) for key in keys}
        return None if any(item is None for item in value.values()) else value
    if kind == "string":
        return random.choice(shape.enum) if shape.enum else random.choice(["a b+c", 'ü&<"x">', "plain", "x/y=z", "100%~"])
    if kind in ("integer", "long"):
        return random.randint(1, 9999)
    if kind in ("float", "double"):
        return random.choice([1.5, 2.25])
    if kind == "boolean":
        return random.random() < 0.5
    if kind == "blob":
        return b"\x00\xffblob"
    if kind == "timestamp":
        return datetime.datetime(2026, 1, 2, 3, 4, random.randint(0, 59), tzinfo=datetime.timezone.utc)
    return None


def plain(value):
    """A value as JSON, with bytes and instants marked."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return {"$time": int(value.timestamp() * 1000)}
    return value


def encoded(fields):
    return urllib.parse.urlencode(fields or {}, doseq=True) if not isinstance(fields, str) else fields


def main():
    seed, wanted = int(sys.argv[1]), set(sys.argv[2:])
    random.seed(seed)
    session = botocore.session.get_session()
    for name in session.get_available_services():
        # The model is large; its metadata says cheaply enough whether it is wanted.
        model = session.get_service_model(name)
        if model.metadata["serviceId"] not in wanted:
            continue
        for protocol in model.metadata.get("protocols", [model.metadata["protocol"]]):
            if protocol not in PROTOCOLS:
                continue
            serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
            for operation_name in model.operation_names:
                operation = model.operation_model(operation_name)
                if operation.has_event_stream_input or operation.has_event_stream_output:
                    continue
                value = (generate(operation.input_shape) if operation.input_shape else None) or {}
                request = serializer.serialize_to_request(value, operation)
                body = request["body"]
                body = encoded(body) if isinstance(body, dict) else body
                body = body.encode() if isinstance(body, str) else body
                output = (generate(operation.output_shape) if operation.output_shape else None) or {}
                print(json.dumps({
                    "serviceId": model.metadata["serviceId"],
                    "service": name,
                    "protocol": protocol,
                    "operation": operation_name,
                    "method": request["method"],
                    "path": request["url_path"],
                    "query": encoded(request.get("query_string")),
                    "headers": {key.lower(): text for key, text in request["headers"].items()},
                    "body": base64.b64encode(body or b"").decode(),
                    "input": plain(value),
                    "output": plain(output),
                }))


main()
