# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Rules for whatever has been applied, in whichever module it is.

A guard takes the resources of a state and gives what breaks its rule. Beside it stands how it is
broken: a change of the state after which the guard has to find something.
"""

import base64
import copy
import json
from collections import namedtuple

Guard = namedtuple("Guard", "check spoil")
GUARDS = {}


def guard(spoil):
    """spoil(values of each resource by type): breaks the rule."""
    def register(check):
        GUARDS[check.__name__] = Guard(check, spoil)
        return check
    return register


class State:
    def __init__(self, resources):
        self.resources = [resource for resource in resources if resource["mode"] == "managed"]

    def of(self, *types):
        return [resource["values"] for resource in self.resources if resource["type"] in types]

    def named(self, *types):
        return [(resource["address"], resource["values"]) for resource in self.resources if resource["type"] in types]

    def policies(self):
        """Address and statements of all documents, but for who may take on a role and for what AWS says itself."""
        for resource in self.resources:
            if resource["type"] != "aws_vpc_endpoint" and (text := resource["values"].get("policy")):
                yield resource["address"], as_list(json.loads(text)["Statement"])

    def spoiled(self, change):
        state = State(copy.deepcopy(self.resources))
        change(state)
        return state


def as_list(value):
    return value if isinstance(value, list) else [value]


def wants_tls(statements):
    return any(s["Effect"] == "Deny" and s.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
               and s["Principal"] in ("*", {"AWS": "*"}) for s in statements)  # fmt: skip


def settings_of(state, kind, bucket):
    return [values for values in state.of(f"aws_s3_bucket_{kind}") if values["bucket"] == bucket]


def set_first(kind, key, value):
    def change(state):
        for values in state.of(kind)[:1]:
            values[key] = value
    return change


def drop(*kinds):
    def change(state):
        state.resources = [resource for resource in state.resources if resource["type"] not in kinds]
    return change


@guard(set_first("aws_s3_bucket_public_access_block", "restrict_public_buckets", False))
def buckets_are_not_public(state):
    wanted = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    return [address for address, values in state.named("aws_s3_bucket")
            if not any(all(block[key] for key in wanted)
                       for block in settings_of(state, "public_access_block", values["bucket"]))]  # fmt: skip


@guard(drop("aws_s3_bucket_policy"))
def buckets_are_read_by_tls_only(state):
    return [address for address, values in state.named("aws_s3_bucket")
            if not any(wants_tls(as_list(json.loads(found["policy"])["Statement"]))
                       for found in settings_of(state, "policy", values["bucket"]))]  # fmt: skip


@guard(drop("aws_s3_bucket_lifecycle_configuration"))
def buckets_are_encrypted_owned_and_end(state):
    def is_well(bucket):
        [encryption] = settings_of(state, "server_side_encryption_configuration", bucket) or [None]
        [owner] = settings_of(state, "ownership_controls", bucket) or [None]
        [life] = settings_of(state, "lifecycle_configuration", bucket) or [None]
        return encryption and owner["rule"][0]["object_ownership"] == "BucketOwnerEnforced" and life and any(
            rule["expiration"] for rule in life["rule"]) and any(rule["abort_incomplete_multipart_upload"] for rule in life["rule"])
    return [address for address, values in state.named("aws_s3_bucket") if not is_well(values["bucket"])]


@guard(drop("aws_sns_topic_policy", "aws_sqs_queue_policy"))
def topics_and_queues_take_tls_only(state):
    asked = len(state.of("aws_sns_topic", "aws_sqs_queue"))
    found = [values for values in state.of("aws_sns_topic_policy", "aws_sqs_queue_policy")
             if wants_tls(as_list(json.loads(values["policy"])["Statement"]))]  # fmt: skip
    return [] if asked == len(found) else [f"{asked} topics and queues, {len(found)} policies that want TLS"]


@guard(set_first("aws_cloudwatch_log_group", "retention_in_days", 0))
def logs_end_and_are_encrypted(state):
    has_key = bool(state.of("aws_kms_key"))
    return [address for address, values in state.named("aws_cloudwatch_log_group")
            if not values["retention_in_days"] or (has_key and not values["kms_key_id"])]  # fmt: skip


@guard(set_first("aws_vpc_security_group_ingress_rule", "cidr_ipv4", "0.0.0.0/0"))
def nothing_is_open_to_the_internet(state):
    return [address for address, values in state.named("aws_vpc_security_group_ingress_rule")
            if values["cidr_ipv4"] == "0.0.0.0/0" or values["cidr_ipv6"] == "::/0"]  # fmt: skip


@guard(set_first("aws_vpc_security_group_egress_rule", "description", ""))
def rules_say_what_they_are_for(state):
    return [address for address, values in state.named("aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule",
                                                       "aws_security_group", "aws_iam_role")
            if not values["description"] or values["description"] == "Managed by Terraform"]  # fmt: skip


@guard(set_first("aws_iam_role", "permissions_boundary", ""))
def roles_are_within_the_boundary(state):
    """Where there is one: a role without could not be made by the pipeline."""
    roles = state.named("aws_iam_role")
    bounded = any(values["permissions_boundary"] for _, values in roles)
    return [address for address, values in roles if bounded and not values["permissions_boundary"]]


def allow_everything(state):
    state.of("aws_iam_role_policy")[0]["policy"] = json.dumps(
        {"Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]})  # fmt: skip


@guard(allow_everything)
def actions_are_named(state):
    """The account's statement of a key apart, without which nobody could change it again."""
    return [(address, action) for address, statements in state.policies() for statement in statements
            if statement["Effect"] == "Allow" and statement.get("Sid") != "Account"
            for action in as_list(statement["Action"])
            if action.endswith("*") and action not in ("kms:GenerateDataKey*", "kms:ReEncrypt*")]  # fmt: skip


# What changes something and has no resources in IAM, or the service's own condition.
WITHOUT_RESOURCES = {"BeManaged", "LiveInTheVpc"}


def write_everywhere(state):
    state.of("aws_iam_role_policy")[0]["policy"] = json.dumps(
        {"Statement": [{"Effect": "Allow", "Action": ["ec2:ReplaceRoute"], "Resource": "*"}]})  # fmt: skip


@guard(write_everywhere)
def writing_has_resources_or_conditions(state):
    reading = ("Describe", "Get", "List")
    return [(address, action) for address, statements in state.policies() if ".aws_iam_role_policy." in address
            for s in statements if s["Effect"] == "Allow" and "*" in as_list(s["Resource"])
            and not s.get("Condition") and s.get("Sid") not in WITHOUT_RESOURCES
            for action in as_list(s["Action"]) if not action.split(":")[1].startswith(reading)]  # fmt: skip


def trust_any_service(state):
    role = state.of("aws_iam_role")[0]
    role["assume_role_policy"] = role["assume_role_policy"].replace("amazonaws.com", "example.com")


# Services that have a role for one instance or function, and not for whoever asks them.
OF_ONE = {"ec2.amazonaws.com", "lambda.amazonaws.com", "chatbot.amazonaws.com"}


@guard(trust_any_service)
def roles_are_for_a_service_of_this_account(state):
    def is_well(statement):
        service = statement["Principal"].get("Service", "") if isinstance(statement["Principal"], dict) else ""
        condition = statement.get("Condition", {}).get("StringEquals", {})
        return service in OF_ONE or (service.endswith(".amazonaws.com") and "aws:SourceAccount" in condition)
    return [address for address, values in state.named("aws_iam_role")
            if not all(map(is_well, as_list(json.loads(values["assume_role_policy"])["Statement"])))]  # fmt: skip


def plain_disk(state):
    state.of("aws_launch_template")[0]["block_device_mappings"][0]["ebs"][0]["encrypted"] = "false"


@guard(plain_disk)
def what_is_kept_is_encrypted(state):
    found = [address for address, values in state.named("aws_launch_template")
             if any(disk["ebs"][0]["encrypted"] != "true" for disk in values["block_device_mappings"])]  # fmt: skip
    found += [address for address, values in state.named("aws_instance")
              if not all(disk["encrypted"] for disk in values["root_block_device"])]  # fmt: skip
    found += [address for address, values in state.named("aws_sns_topic") if not values["kms_master_key_id"]]
    found += [address for address, values in state.named("aws_sqs_queue")
              if not (values["kms_master_key_id"] or values["sqs_managed_sse_enabled"])]  # fmt: skip
    found += [address for address, values in state.named("aws_dynamodb_table")
              if not values["server_side_encryption"][0]["enabled"]]  # fmt: skip
    return found + [address for address, values in state.named("aws_kms_key") if not values["enable_key_rotation"]]


def old_metadata(state):
    state.of("aws_launch_template")[0]["metadata_options"][0]["http_tokens"] = "optional"


@guard(old_metadata)
def instances_require_imdsv2(state):
    return [address for address, values in state.named("aws_launch_template", "aws_instance")
            if any(options["http_tokens"] != "required" or options["http_put_response_hop_limit"] != 1
                   for options in values["metadata_options"]) or not values["metadata_options"]]  # fmt: skip


@guard(set_first("aws_lambda_function", "dead_letter_config", []))
def functions_keep_what_failed_and_log_to_their_group(state):
    groups = {values["name"] for values in state.of("aws_cloudwatch_log_group")}
    return [address for address, values in state.named("aws_lambda_function")
            if not values["dead_letter_config"] or values["logging_config"][0]["log_group"] not in groups]  # fmt: skip


def of_another_group(state):
    for values in state.of("aws_ssm_patch_group"):
        values["patch_group"] = "another"


@guard(of_another_group)
def nodes_have_their_patch_baseline(state):
    groups = {values["patch_group"] for values in state.of("aws_ssm_patch_group")}
    return [address for address, values in state.named("aws_launch_template") if groups
            for spec in values["tag_specifications"]
            if spec["resource_type"] == "instance" and spec["tags"].get("PatchGroup") not in groups]  # fmt: skip


@guard(set_first("aws_ssm_association", "targets", [{"key": "tag:natxdp:nat", "values": ["x"]}]))
def systems_manager_leaves_probes_alone(state):
    """They have the tag of the NAT, no natxdp.service, and one that fails ends the run for all."""
    return [address for address, values in state.named("aws_ssm_association")
            if {"key": "tag:natxdp:module", "values": ["nat"]} not in values["targets"]]  # fmt: skip


@guard(set_first("aws_lb", "enable_deletion_protection", False))
def production_is_not_deleted_by_mistake(state):
    if not any("natxdp-prod" in str(values["tags"]) for values in state.of("aws_kms_key")):
        return []
    return [address for address, values in state.named("aws_lb") if not values["enable_deletion_protection"]] + [
        address for address, values in state.named("aws_dynamodb_table") if not values["deletion_protection_enabled"]]


def with_shell(state):
    values = state.of("aws_launch_template")[0]
    values["user_data"] = base64.b64encode(b"#!/bin/sh\n").decode()


@guard(with_shell)
def user_data_is_cloud_config(state):
    return [address for address, values in state.named("aws_launch_template")
            if not base64.b64decode(values["user_data"]).startswith(b"#cloud-config\n")]  # fmt: skip
