/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where a service is. Pure. */
#ifndef NATXDP_AWS_ENDPOINT_H
#define NATXDP_AWS_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "calls.h"

/* Letters, digits and inner hyphens, as in "eu-central-1"; names a host. */
bool aws_region_valid(const char *region);

/* "aws", "aws-cn", "aws-us-gov": the second part of ARNs. */
const char *aws_partition(const char *region);

/* Writes the URL of the public endpoint. Returns 0, or -ENAMETOOLONG. */
int aws_endpoint(enum aws_service service, const char *region, bool fips, bool dualstack, char *url,
		 size_t size);

/*
 * Takes an URL from the configuration: http or https, a host, maybe a port,
 * and no path but "/". Writes it with the slash. Returns 0 or -EINVAL.
 */
int aws_endpoint_override(const char *text, char *url, size_t size);

#endif
