/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the functions are told by their environment (terraform/modules/lambda):
 * NATXDP_* for natxdp, AWS_* for the runtime and the client.
 */
#ifndef NATXDP_LAMBDA_SETUP_H
#define NATXDP_LAMBDA_SETUP_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

enum level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR };

/* Strings are those of the environment, "" where it has none; trees are owned. */
struct setup {
	const char *nat;      /* name of the NAT */
	const char *mode;     /* "eni", "eip", "gwlb" */
	cJSON *route_tables;  /* {route table: zone} */
	cJSON *target_groups; /* {zone: ARN} */
	cJSON *documents;     /* {use: name of the SSM document} */
	cJSON *interfaces;    /* {node: interface} */
	cJSON *slots; /* {"zone/number": {"allocation": id, "addresses": {node: private address}}} */
	const char *lease_table;
	const char *listener; /* ARN of the load balancer's listener; "" in eip mode */
	const char *routing_parameter;
	const char *blocked_parameter;
	const char *probe_targets;  /* "host:port,host:port" */
	const char *results_bucket; /* of S3; "": results are not kept */
	unsigned int agent_port;
	unsigned int probe_interval_s; /* 0: one round an invocation */
	unsigned int witness_ms;       /* between two looks at whether an owner's agent lives */
	unsigned int heartbeat_s;      /* between signs of life to an Auto Scaling group */
	unsigned int janitor_age_s;
	bool dry_run;
	enum level level;
};

/* Returns 0 or -errno with @err written, which names the variable. */
int setup_read(struct setup *setup, struct err *err);
void setup_free(struct setup *setup);

/* The SSM document for a use, e.g. "verify"; NULL with @err written: there is none. */
const char *setup_document(const struct setup *setup, const char *use, struct err *err);

#endif
