/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The options of a client with what the environment and the defaults add. */
#ifndef NATXDP_AWS_OPTIONS_H
#define NATXDP_AWS_OPTIONS_H

#include "client.h"
#include "http.h"

struct aws_settings {
	char region[AWS_REGION_MAX];		       /* "": ask the IMDS */
	char endpoint[AWS_SERVICES][AWS_HTTP_URL_MAX]; /* "": the public one */
	char imds_endpoint[AWS_HTTP_URL_MAX];
	char ca_file[AWS_HTTP_URL_MAX]; /* "": the system's */
	bool fips;
	bool dualstack;
	bool no_imds;
	uint32_t connect_ms, attempt_ms, budget_ms;
	uint32_t attempts;
	uint32_t backoff_ms, backoff_max_ms;
	uint32_t in_flight, queue, queue_bytes;
	uint32_t answer_max;
};

/* Returns 0, or -EINVAL if a region, an URL or a file name cannot be one. */
int aws_settings_fill(struct aws_settings *settings, const struct aws_options *options);

#endif
