/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "endpoint.h"

/* @option, or the first variable that is not empty; "" if there is none. */
static const char *choose(const char *option, const char *variable, const char *other)
{
	const char *value;

	if (option)
		return option;
	value = getenv(variable);
	if ((!value || !*value) && other)
		value = getenv(other);
	return value ? value : "";
}

static bool is_on(bool option, const char *variable)
{
	const char *value = getenv(variable);

	return option || (value && strcasecmp(value, "true") == 0);
}

static uint32_t number(uint32_t option, uint32_t otherwise)
{
	return option ? option : otherwise;
}

static int fill_endpoints(struct aws_settings *settings, const struct aws_options *options)
{
	const char *all = choose(options->endpoint_all, "AWS_ENDPOINT_URL", NULL);
	const char *imds = choose(options->imds_endpoint, "AWS_EC2_METADATA_SERVICE_ENDPOINT",
				  NULL);
	int i;

	for (i = 0; i < AWS_SERVICES; i++) {
		const char *url = options->endpoint[i] ? options->endpoint[i] : all;

		if (*url && aws_endpoint_override(url, settings->endpoint[i],
						  sizeof(settings->endpoint[i])))
			return -EINVAL;
	}
	return aws_endpoint_override(*imds ? imds : "http://169.254.169.254",
				     settings->imds_endpoint, sizeof(settings->imds_endpoint));
}

int aws_settings_fill(struct aws_settings *settings, const struct aws_options *options)
{
	const char *region = choose(options->region, "AWS_REGION", "AWS_DEFAULT_REGION");
	const char *ca_file = choose(options->ca_file, "AWS_CA_BUNDLE", NULL);

	*settings = (struct aws_settings){
		.fips = is_on(options->fips, "AWS_USE_FIPS_ENDPOINT"),
		.dualstack = is_on(options->dualstack, "AWS_USE_DUALSTACK_ENDPOINT"),
		.no_imds = is_on(options->no_imds, "AWS_EC2_METADATA_DISABLED"),
		.connect_ms = number(options->connect_ms, 2000),
		.attempt_ms = number(options->attempt_ms, 10000),
		.budget_ms = number(options->budget_ms, 30000),
		.attempts = number(options->attempts, 4),
		.backoff_ms = number(options->backoff_ms, 100),
		.backoff_max_ms = number(options->backoff_max_ms, 20000),
		.in_flight = number(options->in_flight, 4),
		.queue = number(options->queue, 64),
		.queue_bytes = number(options->queue_bytes, 4 * 1024 * 1024),
		.answer_max = number(options->answer_max, 4 * 1024 * 1024),
	};
	if (strlen(ca_file) >= sizeof(settings->ca_file) || (*region && !aws_region_valid(region)))
		return -EINVAL;
	snprintf(settings->region, sizeof(settings->region), "%s", region);
	snprintf(settings->ca_file, sizeof(settings->ca_file), "%s", ca_file);
	return fill_endpoints(settings, options);
}
