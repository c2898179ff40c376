/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Every service and every call that natxdp makes, once. The client sends from
 * this table, IAM policies are derived from it, the tests walk through it.
 */
#ifndef NATXDP_AWS_CALLS_H
#define NATXDP_AWS_CALLS_H

struct aws_result;
struct cJSON;

enum aws_protocol {
	AWS_QUERY,    /* form in, XML out; lists are Name.member.N */
	AWS_EC2QUERY, /* form in, XML out; lists are Name.N */
	AWS_JSON10,   /* JSON both ways; the action is a header */
	AWS_JSON11,
};

/*
 * name, protocol, API version or prefix of X-Amz-Target, and the name that is
 * at once the prefix of its host names and the service of its signatures.
 */
#define AWS_SERVICE_LIST(X)                                     \
	X(CLOUDWATCH, AWS_QUERY, "2010-08-01", "monitoring")    \
	X(LOGS, AWS_JSON11, "Logs_20140328", "logs")            \
	X(EC2, AWS_EC2QUERY, "2016-11-15", "ec2")               \
	X(ELB, AWS_QUERY, "2015-12-01", "elasticloadbalancing") \
	X(AUTOSCALING, AWS_QUERY, "2011-01-01", "autoscaling")  \
	X(SSM, AWS_JSON11, "AmazonSSM", "ssm")                  \
	X(DYNAMODB, AWS_JSON10, "DynamoDB_20120810", "dynamodb")

enum aws_service {
#define X(name, ...) AWS_##name,
	AWS_SERVICE_LIST(X)
#undef X
		AWS_SERVICES
};

/*
 * What a call does when it is made twice. A call that nobody knows the outcome
 * of (the connection broke after it was sent) is only repeated if AGAIN; the
 * others end with aws_result.maybe_done, and their caller decides.
 */
enum aws_repeat {
	AWS_ONCE,  /* counts twice, or starts twice */
	AWS_AGAIN, /* as if made once */
};

/* service, action, may be repeated, parser of the answer, IAM action */
#define AWS_CALL_LIST(X)                                                                          \
	X(CLOUDWATCH, PutMetricData, AWS_ONCE, nothing, "cloudwatch:PutMetricData")               \
	X(LOGS, CreateLogGroup, AWS_AGAIN, nothing, "logs:CreateLogGroup")                        \
	X(LOGS, CreateLogStream, AWS_AGAIN, nothing, "logs:CreateLogStream")                      \
	X(LOGS, PutLogEvents, AWS_ONCE, log_events, "logs:PutLogEvents")                          \
	X(EC2, DescribeInstances, AWS_AGAIN, instances, "ec2:DescribeInstances")                  \
	X(EC2, DescribeInstanceStatus, AWS_AGAIN, instance_status, "ec2:DescribeInstanceStatus")  \
	X(EC2, DescribeRouteTables, AWS_AGAIN, route_tables, "ec2:DescribeRouteTables")           \
	X(EC2, ReplaceRoute, AWS_AGAIN, nothing, "ec2:ReplaceRoute")                              \
	X(EC2, CreateRoute, AWS_AGAIN, nothing, "ec2:CreateRoute")                                \
	X(EC2, DescribeAddresses, AWS_AGAIN, addresses, "ec2:DescribeAddresses")                  \
	X(EC2, AssociateAddress, AWS_AGAIN, association, "ec2:AssociateAddress")                  \
	X(EC2, DisassociateAddress, AWS_AGAIN, nothing, "ec2:DisassociateAddress")                \
	X(EC2, ReleaseAddress, AWS_AGAIN, nothing, "ec2:ReleaseAddress")                          \
	X(EC2, DescribeNetworkInterfaces, AWS_AGAIN, interfaces, "ec2:DescribeNetworkInterfaces") \
	X(EC2, DeleteNetworkInterface, AWS_AGAIN, nothing, "ec2:DeleteNetworkInterface")          \
	X(EC2, AssignPrivateIpAddresses, AWS_AGAIN, nothing, "ec2:AssignPrivateIpAddresses")      \
	X(EC2, ModifyInstanceAttribute, AWS_AGAIN, nothing, "ec2:ModifyInstanceAttribute")        \
	X(EC2, ModifyNetworkInterfaceAttribute, AWS_AGAIN, nothing,                               \
	  "ec2:ModifyNetworkInterfaceAttribute")                                                  \
	X(EC2, CreateTags, AWS_AGAIN, nothing, "ec2:CreateTags")                                  \
	X(EC2, TerminateInstances, AWS_AGAIN, nothing, "ec2:TerminateInstances")                  \
	X(ELB, RegisterTargets, AWS_AGAIN, nothing, "elasticloadbalancing:RegisterTargets")       \
	X(ELB, DeregisterTargets, AWS_AGAIN, nothing, "elasticloadbalancing:DeregisterTargets")   \
	X(ELB, DescribeTargetHealth, AWS_AGAIN, target_health,                                    \
	  "elasticloadbalancing:DescribeTargetHealth")                                            \
	X(ELB, DescribeListeners, AWS_AGAIN, listeners, "elasticloadbalancing:DescribeListeners") \
	X(ELB, ModifyListener, AWS_AGAIN, nothing, "elasticloadbalancing:ModifyListener")         \
	X(ELB, ModifyRule, AWS_AGAIN, nothing, "elasticloadbalancing:ModifyRule")                 \
	X(AUTOSCALING, CompleteLifecycleAction, AWS_AGAIN, nothing,                               \
	  "autoscaling:CompleteLifecycleAction")                                                  \
	X(AUTOSCALING, RecordLifecycleActionHeartbeat, AWS_AGAIN, nothing,                        \
	  "autoscaling:RecordLifecycleActionHeartbeat")                                           \
	X(AUTOSCALING, DescribeAutoScalingGroups, AWS_AGAIN, groups,                              \
	  "autoscaling:DescribeAutoScalingGroups")                                                \
	X(AUTOSCALING, SetInstanceHealth, AWS_AGAIN, nothing, "autoscaling:SetInstanceHealth")    \
	X(SSM, SendCommand, AWS_ONCE, command, "ssm:SendCommand")                                 \
	X(SSM, GetCommandInvocation, AWS_AGAIN, invocation, "ssm:GetCommandInvocation")           \
	X(SSM, GetParameter, AWS_AGAIN, parameter, "ssm:GetParameter")                            \
	X(SSM, PutParameter, AWS_AGAIN, parameter_version, "ssm:PutParameter")                    \
	X(DYNAMODB, GetItem, AWS_AGAIN, item, "dynamodb:GetItem")                                 \
	X(DYNAMODB, PutItem, AWS_AGAIN, nothing, "dynamodb:PutItem")                              \
	X(DYNAMODB, UpdateItem, AWS_AGAIN, item, "dynamodb:UpdateItem")

enum aws_op {
#define X(service, action, ...) AWS_OP_##action,
	AWS_CALL_LIST(X)
#undef X
		AWS_OPS
};

struct aws_service_info {
	const char *name;
	enum aws_protocol protocol;
	const char *version;
	const char *prefix;
};

struct aws_call_info {
	enum aws_service service;
	const char *action;
	enum aws_repeat repeat;
	/*
	 * Fills result->output from the answer; what it points to lives as
	 * long as @answer and result->arena. Returns 0 or -errno.
	 */
	int (*parse)(const struct cJSON *answer, struct aws_result *result);
	const char *iam;
};

extern const struct aws_service_info aws_services[AWS_SERVICES];
extern const struct aws_call_info aws_calls[AWS_OPS];

#endif
