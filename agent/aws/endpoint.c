/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct partition {
	const char *name;
	const char *prefix; /* of its regions */
	const char *suffix;
	const char *dualstack_suffix;
	bool always_fips; /* the usual host names are FIPS endpoints */
};

static const struct partition partitions[] = {
	{ "aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", false },
	{ "aws-us-gov", "us-gov-", "amazonaws.com", "api.aws", true },
	{ "aws", "", "amazonaws.com", "api.aws", false },
};

static const struct partition *partition_of(const char *region)
{
	const struct partition *partition = partitions;

	while (strncmp(region, partition->prefix, strlen(partition->prefix)) != 0)
		partition++;
	return partition;
}

bool aws_region_valid(const char *region)
{
	size_t length = strlen(region);

	return length && length < 32 && region[0] != '-' && region[length - 1] != '-' &&
	       strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

const char *aws_partition(const char *region)
{
	return partition_of(region)->name;
}

int aws_endpoint(enum aws_service service, const char *region, bool fips, bool dualstack, char *url,
		 size_t size)
{
	const struct partition *partition = partition_of(region);
	bool named = fips && (dualstack || !partition->always_fips);
	int length = snprintf(url, size, "https://%s%s.%s.%s/", aws_services[service].prefix,
			      named ? "-fips" : "", region,
			      dualstack ? partition->dualstack_suffix : partition->suffix);

	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

int aws_endpoint_override(const char *text, char *url, size_t size)
{
	size_t scheme, host;
	int length;

	if (strncmp(text, "https://", 8) == 0)
		scheme = 8;
	else if (strncmp(text, "http://", 7) == 0)
		scheme = 7;
	else
		return -EINVAL;
	host = strspn(text + scheme, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789-._:[]");
	if (!host || (text[scheme + host] && strcmp(text + scheme + host, "/") != 0))
		return -EINVAL;
	length = snprintf(url, size, "%.*s/", (int)(scheme + host), text);
	return length < 0 || (size_t)length >= size ? -EINVAL : 0;
}
