# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""All services but EC2.

World: target_groups arn -> {targets: {(id, port) as "id:port": state}, port}
       listeners, rules  arn -> {weights: {target group: weight}}
       groups       name -> {minimum, maximum, desired, instances: {id: {zone, state, health}}, tags}
       log_groups   name -> {stream: [(timestamp, message)...]}
       parameters   name -> {value, version, type}
       commands     id -> {instance id: {status, exit_code, output, errors}}
       tables       name -> {key: [names], items: [item...]}, items as DynamoDB writes them
"""

import threading
import time

from . import expressions
from .world import ApiError, page

ACTIONS = {}


def action(service):
    def register(function):
        name = "".join(part.capitalize() for part in function.__name__.split("_"))
        ACTIONS[(service, name)] = function
        return function
    return register


# ---- CloudWatch and Logs


@action("monitoring")
def put_metric_data(world, params):
    now = time.time()
    if len(params["MetricData"]) > 1000:
        raise ApiError("InvalidParameterValue", "more than 1000 metrics")
    for datum in params["MetricData"]:
        if not now - 14 * 86400 <= datum.get("Timestamp", now) <= now + 7200:
            raise ApiError("InvalidParameterValue", "Timestamp too old or in the future")
        ways = [name for name in ("Value", "Values", "StatisticValues") if name in datum]
        if len(ways) != 1:
            raise ApiError("InvalidParameterCombination", f"one of the kinds of values: {ways}")
        if "Counts" in datum and len(datum["Counts"]) != len(datum["Values"]):
            raise ApiError("InvalidParameterCombination", "as many Counts as Values")
        if len(datum.get("Values", [])) > 150:
            raise ApiError("InvalidParameterValue", "more than 150 values")
        world.metrics.append({"Namespace": params["Namespace"], **datum})
    return {}


def statistics(data):
    """Of data as they were put, in the form that they had."""
    sets = []
    for datum in data:
        counts = datum.get("Counts") or [1.0] * len(datum.get("Values", []))
        values = [*zip(datum.get("Values", []), counts)]
        values += [(datum["Value"], 1.0)] if "Value" in datum else []
        sets += [{"SampleCount": count, "Sum": value * count, "Minimum": value, "Maximum": value}
                 for value, count in values]
        sets += [datum["StatisticValues"]] if "StatisticValues" in datum else []
    return {"SampleCount": sum(one["SampleCount"] for one in sets),
            "Sum": sum(one["Sum"] for one in sets),
            "Minimum": min(one["Minimum"] for one in sets),
            "Maximum": max(one["Maximum"] for one in sets)}


def points(world, stat):
    """(time, value) of each period, the newest first."""
    metric, found = stat["Metric"], {}
    for datum in world.metrics:
        at = datum.get("Timestamp", time.time())
        if (datum["Namespace"], datum["MetricName"], datum.get("Dimensions", [])) == \
                (metric["Namespace"], metric["MetricName"], metric.get("Dimensions", [])):
            found.setdefault(at // stat["Period"] * stat["Period"], []).append(datum)
    return [(at, statistics(data)[stat["Stat"]]) for at, data in sorted(found.items(), reverse=True)]


@action("monitoring")
def get_metric_data(world, params):
    results = []
    for query in params["MetricDataQueries"]:
        found = points(world, query["MetricStat"])
        results.append({"Id": query["Id"], "Label": query.get("Label", query["Id"]), "StatusCode": "Complete",
                        "Timestamps": [at for at, _ in found], "Values": [value for _, value in found]})
    return {"MetricDataResults": results}


@action("logs")
def create_log_group(world, params):
    if params["logGroupName"] in world.log_groups:
        raise ApiError("ResourceAlreadyExistsException", "The specified log group already exists")
    world.log_groups[params["logGroupName"]] = {}
    return {}


def log_group(world, params):
    if params["logGroupName"] not in world.log_groups:
        raise ApiError("ResourceNotFoundException", "The specified log group does not exist.")
    return world.log_groups[params["logGroupName"]]


@action("logs")
def create_log_stream(world, params):
    group = log_group(world, params)
    if params["logStreamName"] in group:
        raise ApiError("ResourceAlreadyExistsException", "The specified log stream already exists")
    group[params["logStreamName"]] = []
    return {}


@action("logs")
def put_log_events(world, params):
    group, events = log_group(world, params), params["logEvents"]
    if params["logStreamName"] not in group:
        raise ApiError("ResourceNotFoundException", "The specified log stream does not exist.")
    times = [event["timestamp"] for event in events]
    sizes = [len(event["message"].encode()) + 26 for event in events]
    if max(sizes) > 262144:  # 1 MiB since 2025, not yet where service models are older
        raise ApiError("InvalidParameterException", "Log event too large")
    if times != sorted(times) or times[-1] - times[0] > 86400_000:
        raise ApiError("InvalidParameterException", "not in order, or more than 24 hours")
    if sum(sizes) > 1048576 or len(events) > 10000:
        raise ApiError("InvalidParameterException", "the batch is too large")
    now = time.time() * 1000
    old = sum(1 for at in times if at < now - 14 * 86400_000)
    new = sum(1 for at in times if at > now + 7200_000)
    group[params["logStreamName"]] += [(event["timestamp"], event["message"])
                                       for event in events[old:len(events) - new]]
    rejected = {}
    if old:
        rejected["tooOldLogEventEndIndex"] = old
    if new:
        rejected["tooNewLogEventStartIndex"] = len(events) - new
    return {"nextSequenceToken": "0", **({"rejectedLogEventsInfo": rejected} if rejected else {})}


# ---- Elastic Load Balancing


def target_group(world, params):
    return world.find("target_groups", params["TargetGroupArn"], "TargetGroupNotFound")


def target_keys(group, params):
    return [f"{target['Id']}:{target.get('Port', group['port'])}"
            for target in params.get("Targets", [])]


@action("elasticloadbalancing")
def register_targets(world, params):
    group = target_group(world, params)
    for key in target_keys(group, params):
        if group["targets"].get(key) in (None, "draining"):
            group["targets"][key] = "initial"
    return {}


@action("elasticloadbalancing")
def deregister_targets(world, params):
    group = target_group(world, params)
    for key in target_keys(group, params):
        if key not in group["targets"]:
            raise ApiError("InvalidTarget", f"{key} is not registered")
        group["targets"][key] = "draining"
    return {}


@action("elasticloadbalancing")
def describe_target_health(world, params):
    group = target_group(world, params)
    wanted = target_keys(group, params) or list(group["targets"])
    reasons = {"initial": "Elb.RegistrationInProgress", "draining": "Target.DeregistrationInProgress",
               "unhealthy": "Target.FailedHealthChecks", "unused": "Target.NotRegistered"}
    result = []
    for key in wanted:
        name, port = key.rsplit(":", 1)
        state = group["targets"].get(key, "unused")
        result.append({"Target": {"Id": name, "Port": int(port)},
                       "TargetHealth": {"State": state, "Reason": reasons.get(state)}})
    return {"TargetHealthDescriptions": result}


def set_weights(world, item, actions):
    groups = actions[0]["ForwardConfig"]["TargetGroups"]
    for group in groups:
        target_group(world, group)
        if not 0 <= group["Weight"] <= 999:
            raise ApiError("ValidationError", "weights are 0 to 999")
    item["weights"] = {group["TargetGroupArn"]: group["Weight"] for group in groups}
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]


@action("elasticloadbalancing")
def describe_listeners(world, params):
    """Those that are asked for by name."""
    found = [(arn, world.find("listeners", arn, "ListenerNotFound"))
             for arn in params["ListenerArns"]]
    return {"Listeners": [{"ListenerArn": arn, "DefaultActions": [
        {"Type": "forward", "ForwardConfig": {"TargetGroups": [
            {"TargetGroupArn": group, "Weight": weight}
            for group, weight in item["weights"].items()]}}]} for arn, item in found]}


@action("elasticloadbalancing")
def modify_listener(world, params):
    item = world.find("listeners", params["ListenerArn"], "ListenerNotFound")
    actions = set_weights(world, item, params["DefaultActions"])
    return {"Listeners": [{"ListenerArn": params["ListenerArn"], "DefaultActions": actions}]}


@action("elasticloadbalancing")
def modify_rule(world, params):
    item = world.find("rules", params["RuleArn"], "RuleNotFound")
    actions = set_weights(world, item, params["Actions"])
    return {"Rules": [{"RuleArn": params["RuleArn"], "Actions": actions}]}


# ---- Auto Scaling


def lifecycle_target(world, params):
    group = world.groups.get(params["AutoScalingGroupName"])
    if not group or params["LifecycleHookName"] not in group.get("hooks", []):
        raise ApiError("ValidationError", "No active Lifecycle Action found")
    if not params.get("LifecycleActionToken") and params.get("InstanceId") not in group["instances"]:
        raise ApiError("ValidationError", "No active Lifecycle Action found with instance ID")
    return params.get("LifecycleActionToken") or params["InstanceId"]


@action("autoscaling")
def complete_lifecycle_action(world, params):
    target = lifecycle_target(world, params)
    if params["LifecycleActionResult"] not in ("CONTINUE", "ABANDON"):
        raise ApiError("ValidationError", "CONTINUE or ABANDON")
    world.lifecycle_actions.append((params["LifecycleHookName"], params["AutoScalingGroupName"],
                                    target, params["LifecycleActionResult"]))
    return {}


@action("autoscaling")
def record_lifecycle_action_heartbeat(world, params):
    target = lifecycle_target(world, params)
    world.lifecycle_actions.append((params["LifecycleHookName"], params["AutoScalingGroupName"],
                                    target, "heartbeat"))
    return {}


@action("autoscaling")
def describe_auto_scaling_groups(world, params):
    wanted = params.get("AutoScalingGroupNames")
    views = []
    for name, group in world.groups.items():
        if wanted and name not in wanted:
            continue
        views.append({
            "AutoScalingGroupName": name, "MinSize": group["minimum"], "MaxSize": group["maximum"],
            "DesiredCapacity": group["desired"], "DefaultCooldown": 300, "HealthCheckType": "EC2",
            "AvailabilityZones": sorted({item["zone"] for item in group["instances"].values()}),
            "CreatedTime": 1767225600,
            "Instances": [{"InstanceId": key, "AvailabilityZone": item["zone"],
                           "LifecycleState": item["state"], "HealthStatus": item["health"],
                           "ProtectedFromScaleIn": False}
                          for key, item in group["instances"].items()],
            "Tags": [{"Key": key, "Value": value, "ResourceId": name,
                      "ResourceType": "auto-scaling-group", "PropagateAtLaunch": True}
                     for key, value in group.get("tags", {}).items()]})
    items, token = page(views, params, size="MaxRecords")
    return {"AutoScalingGroups": items, "NextToken": token}


@action("autoscaling")
def set_instance_health(world, params):
    if params["HealthStatus"] not in ("Healthy", "Unhealthy"):
        raise ApiError("ValidationError", "Healthy or Unhealthy")
    for group in world.groups.values():
        if params["InstanceId"] in group["instances"]:
            group["instances"][params["InstanceId"]]["health"] = params["HealthStatus"]
            return {}
    raise ApiError("ValidationError", f"Instance Id not found - {params['InstanceId']}")


# ---- Systems Manager


def end_command(ran, result):
    """None: the instance never says anything."""
    if result:
        code, output, errors = result
        ran.update(status="Success" if code == 0 else "Failed", exit_code=code, output=output,
                   errors=errors)


@action("ssm")
def send_command(world, params):
    for name in params["InstanceIds"]:
        if name not in world.instances:
            raise ApiError("InvalidInstanceId", f"{name} is not in a valid state")
    number = world.new_id("cmd")[4:]
    command = f"{number[:8]:0>8}-0000-4000-8000-{number[-12:]:0>12}"
    parameters = params.get("Parameters", {})
    world.commands[command] = {}
    for name in params["InstanceIds"]:
        run = lambda instance, commands: (0, "", "")  # noqa: E731
        if params["DocumentName"] == "AWS-RunShellScript":
            run, argument = world.run_command or run, parameters["commands"]
        elif params["DocumentName"] in world.documents:
            run = world.documents[params["DocumentName"]]
            argument = {key: values[0] for key, values in parameters.items()}
        else:
            raise ApiError("InvalidDocument", f"{params['DocumentName']} does not exist")
        ran = world.commands[command][name] = {
            "status": "InProgress", "exit_code": -1, "output": "", "errors": ""}
        result = run(name, argument)
        if callable(result):  # it takes its time
            threading.Thread(target=lambda ran=ran, result=result: end_command(ran, result()),
                             daemon=True).start()
        else:
            end_command(ran, result)
    return {"Command": {"CommandId": command, "Status": "Pending",
                        "DocumentName": params["DocumentName"], "InstanceIds": params["InstanceIds"]}}


@action("ssm")
def get_command_invocation(world, params):
    found = world.commands.get(params["CommandId"], {}).get(params["InstanceId"])
    if not found:
        raise ApiError("InvocationDoesNotExist", "")
    return {"CommandId": params["CommandId"], "InstanceId": params["InstanceId"],
            "Status": found["status"], "ResponseCode": found["exit_code"],
            "StandardOutputContent": found["output"], "StandardErrorContent": found["errors"]}


@action("ssm")
def get_parameter(world, params):
    found = world.parameters.get(params["Name"])
    if not found:
        raise ApiError("ParameterNotFound", "")
    return {"Parameter": {"Name": params["Name"], "Type": found.get("type", "String"),
                          "Value": found["value"], "Version": found["version"]}}


@action("ssm")
def put_parameter(world, params):
    found = world.parameters.get(params["Name"])
    if found and not params.get("Overwrite"):
        raise ApiError("ParameterAlreadyExists", "The parameter already exists.")
    if not found and "Type" not in params:
        raise ApiError("ValidationException", "A parameter type is required")
    version = found["version"] + 1 if found else 1
    world.parameters[params["Name"]] = {"value": params["Value"], "version": version,
                                        "type": params.get("Type", "String")}
    return {"Version": version, "Tier": "Standard"}


# ---- DynamoDB


def table(world, params):
    if params["TableName"] not in world.tables:
        raise ApiError("ResourceNotFoundException", "Requested resource not found")
    return world.tables[params["TableName"]]


def find_item(found, key):
    if set(key) != set(found["key"]):
        raise ApiError("ValidationException", "The provided key element does not match the schema")
    return next((item for item in found["items"]
                 if all(item.get(name) == value for name, value in key.items())), None)


def check(params, item):
    condition = params.get("ConditionExpression")
    if condition and not expressions.holds(condition, item or {}, params):
        raise ApiError("ConditionalCheckFailedException", "The conditional request failed")


@action("dynamodb")
def get_item(world, params):
    item = find_item(table(world, params), params["Key"])
    return {"Item": item} if item else {}


@action("dynamodb")
def put_item(world, params):
    found, new = table(world, params), params["Item"]
    old = find_item(found, {name: new.get(name) for name in found["key"]})
    check(params, old)
    found["items"] = [item for item in found["items"] if item is not old] + [new]
    return {}


@action("dynamodb")
def update_item(world, params):
    found = table(world, params)
    old = find_item(found, params["Key"])
    check(params, old)
    new = {**(old or {}), **params["Key"]}
    expressions.update(params.get("UpdateExpression", ""), new, params)
    found["items"] = [item for item in found["items"] if item is not old] + [new]
    return {"Attributes": new} if params.get("ReturnValues") == "ALL_NEW" else {}
