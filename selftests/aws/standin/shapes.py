# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Requests into parameters and results into answers, by botocore's service models."""

import base64
import calendar
import functools
import json
import re
import time
import urllib.parse
import uuid
from xml.sax.saxutils import escape

import botocore.loaders
import botocore.model
import botocore.validate

# what the stand-in knows, by the service of the signature
MODELS = {
    "monitoring": "cloudwatch",
    "logs": "logs",
    "ec2": "ec2",
    "elasticloadbalancing": "elbv2",
    "autoscaling": "autoscaling",
    "ssm": "ssm",
    "dynamodb": "dynamodb",
}


class BadRequest(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


@functools.lru_cache(None)
def model(signing_name):
    name = MODELS[signing_name]
    loaded = botocore.loaders.Loader().load_service_model(name, "service-2")
    return botocore.model.ServiceModel(loaded, name)


def operation(service, request):
    """Returns (operation model, raw parameters) of a request."""
    if service.metadata["protocol"] == "json":
        target = request.header("X-Amz-Target")
        prefix, _, action = target.partition(".")
        if prefix != service.metadata["targetPrefix"] or action not in service.operation_names:
            raise BadRequest("UnknownOperationException", f"no operation {target!r}")
        version = service.metadata["jsonVersion"]
        if request.header("Content-Type") != f"application/x-amz-json-{version}":
            raise BadRequest("SerializationException", "wrong Content-Type")
        try:
            return service.operation_model(action), json.loads(request.body)
        except ValueError as error:
            raise BadRequest("SerializationException", str(error)) from error
    if not request.header("Content-Type").startswith("application/x-www-form-urlencoded"):
        raise BadRequest("MalformedInput", "wrong Content-Type")
    pairs = urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True,
                                   strict_parsing=True)
    form = dict(pairs)
    if len(form) != len(pairs):
        raise BadRequest("MalformedInput", "a parameter comes twice")
    action = form.pop("Action", "")
    if action not in service.operation_names:
        raise BadRequest("InvalidAction", f"no action {action!r}")
    if form.pop("Version", "") != service.api_version:
        raise BadRequest("InvalidAction", "wrong Version")
    return service.operation_model(action), form


def parameters(service, found, raw):
    """Validated parameters, with their types. Anything that the model does not have is refused."""
    shape = found.input_shape
    if service.metadata["protocol"] == "json":
        values = raw
    else:
        form = dict(raw)
        values = _from_form(shape, "", form, service.metadata["protocol"] == "ec2") or {}
        if form:
            raise BadRequest("UnknownParameter", f"unknown parameters {sorted(form)}")
    if shape is None:
        return {}
    report = botocore.validate.ParamValidator().validate(values, shape)
    if report.has_errors():
        raise BadRequest("ValidationError", report.generate_report())
    _check_values(shape, values, found.name)
    return values


def _form_name(shape, member, member_shape, ec2):
    serialization = member_shape.serialization
    if ec2:
        if "queryName" in serialization:
            return serialization["queryName"]
        name = serialization.get("name")
        return name[0].upper() + name[1:] if name else member
    if member_shape.type_name == "list" and serialization.get("flattened"):
        return member_shape.member.serialization.get("name", member)
    return serialization.get("name", member)


def _from_form(shape, prefix, form, ec2):
    """Takes what belongs to @shape out of @form; None if that is nothing."""
    if shape is None:
        return {}
    if shape.type_name == "structure":
        result = {}
        for member, member_shape in shape.members.items():
            name = _form_name(shape, member, member_shape, ec2)
            value = _from_form(member_shape, f"{prefix}.{name}" if prefix else name, form, ec2)
            if value is not None:
                result[member] = value
        return result or None
    if shape.type_name == "list":
        if not ec2 and not shape.serialization.get("flattened"):
            prefix = f"{prefix}.{shape.member.serialization.get('name', 'member')}"
        result = []
        while True:
            value = _from_form(shape.member, f"{prefix}.{len(result) + 1}", form, ec2)
            if value is None:
                return result or None
            result.append(value)
    if prefix not in form:
        return None
    return _scalar(shape, form.pop(prefix), prefix)


def _scalar(shape, text, name):
    kind = shape.type_name
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
        if kind == "boolean":
            return {"true": True, "false": False}[text]
        if kind == "timestamp":
            return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
        if kind == "blob":
            return base64.b64decode(text, validate=True)
    except (ValueError, KeyError) as error:
        raise BadRequest("MalformedInput", f"{name} is no {kind}: {text!r}") from error
    return text


def _check_values(shape, value, name):
    """What ParamValidator leaves out: choices, greatest lengths and values, patterns."""
    if shape.type_name == "structure":
        for member, inner in value.items():
            _check_values(shape.members[member], inner, f"{name}.{member}")
    elif shape.type_name == "list":
        for index, inner in enumerate(value):
            _check_values(shape.member, inner, f"{name}[{index}]")
    elif shape.type_name == "map":
        for inner in value.values():
            _check_values(shape.value, inner, name)
    enum = getattr(shape, "enum", None)
    if enum and value not in enum:
        raise BadRequest("ValidationError", f"{name}: {value!r} is none of {enum}")
    most = shape.metadata.get("max")
    size = value if shape.type_name in ("integer", "long", "float", "double") else \
        len(value) if hasattr(value, "__len__") else None
    if most is not None and size is not None and size > most:
        raise BadRequest("ValidationError", f"{name}: more than {most}")
    pattern = shape.metadata.get("pattern")
    if pattern and isinstance(value, str) and not _matches(pattern, value):
        raise BadRequest("ValidationError", f"{name}: {value!r} does not match {pattern}")


def _matches(pattern, value):
    try:
        return re.search(f"^(?:{pattern})$", value, re.DOTALL) is not None
    except re.error:
        return True  # a few patterns are Java's only


def answer(service, found, result, request_id=None):
    """Returns (content type, body)."""
    request_id = request_id or str(uuid.uuid4())
    shape = found.output_shape
    if service.metadata["protocol"] == "json":
        version = service.metadata["jsonVersion"]
        body = json.dumps(_to_json(shape, result)) if shape is not None else ""
        return f"application/x-amz-json-{version}", body.encode()
    inner = _to_xml(shape, result) if shape is not None else ""
    namespace = service.metadata.get("xmlNamespace", "")
    if service.metadata["protocol"] == "ec2":
        inner = f"<requestId>{request_id}</requestId>{inner}"
        if shape is None:
            inner += "<return>true</return>"
    else:
        wrapper = shape.serialization.get("resultWrapper") if shape is not None else None
        if wrapper:
            inner = f"<{wrapper}>{inner}</{wrapper}>"
        inner += f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
    text = f'<{found.name}Response xmlns="{namespace}">{inner}</{found.name}Response>'
    return "text/xml", ('<?xml version="1.0" encoding="UTF-8"?>\n' + text).encode()


def failure(service, code, message, request_id):
    """Returns (content type, body) of an error."""
    protocol = service.metadata["protocol"] if service else "json"
    if protocol == "json":
        version = service.metadata["jsonVersion"] if service else "1.1"
        prefix = "com.amazonaws.dynamodb.v20120810#" if version == "1.0" else ""
        return (f"application/x-amz-json-{version}",
                json.dumps({"__type": prefix + code, "message": message}).encode())
    code, message = escape(code), escape(message)
    if protocol == "ec2":
        text = (f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>"
                f"</Errors><RequestID>{request_id}</RequestID></Response>")
    else:
        text = (f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
                f"<Message>{message}</Message></Error><RequestId>{request_id}</RequestId>"
                f"</ErrorResponse>")
    return "text/xml", text.encode()


def _to_json(shape, value):
    if shape.type_name == "structure":
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{shape.name} has no {unknown}"
        return {shape.members[name].serialization.get("name", name): _to_json(shape.members[name], inner)
                for name, inner in value.items() if inner is not None}
    if shape.type_name == "list":
        return [_to_json(shape.member, inner) for inner in value]
    if shape.type_name == "map":
        return {name: _to_json(shape.value, inner) for name, inner in value.items()}
    return value


def _to_xml(shape, value):
    """The inside of the element that @value is."""
    if shape.type_name == "structure":
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{shape.name} has no {unknown}"
        parts = []
        for member, inner in value.items():
            if inner is None:
                continue
            member_shape = shape.members[member]
            name = member_shape.serialization.get("name", member)
            parts.append(f"<{name}>{_to_xml(member_shape, inner)}</{name}>")
        return "".join(parts)
    if shape.type_name == "list":
        name = shape.member.serialization.get("name", "member")
        return "".join(f"<{name}>{_to_xml(shape.member, inner)}</{name}>" for inner in value)
    if shape.type_name == "boolean":
        return "true" if value else "false"
    if shape.type_name == "timestamp":
        return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(value))
    return escape(str(value))
