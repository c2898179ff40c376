/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The list of metrics as a table. */
#ifndef NATXDP_AGENT_METRICS_H
#define NATXDP_AGENT_METRICS_H

#include "metric_list.h"

enum metric_unit {
	UNIT_COUNT,
	UNIT_BYTES,
	UNIT_PERCENT,
	UNIT_MILLISECONDS,
	UNIT_BITS_PER_SECOND,
	UNIT_NONE
};
enum metric_kind { KIND_GAUGE, KIND_SUM, KIND_PEAK };
enum metric_dims { DIMS_NAT, DIMS_ADDRESS, DIMS_REASON, DIMS_PROTOCOL, DIMS_STATE, DIMS_ENDPOINT };
enum metric_level { METRIC_BASIC = 1, METRIC_EXTENDED, METRIC_LOCAL }; /* as enum conf_level */
enum metric_publisher { PUBLISHER_AGENT, PUBLISHER_HA, PUBLISHER_LAMBDA };

struct metric_info {
	const char *name;
	enum metric_unit unit;
	enum metric_kind kind;
	enum metric_dims dims;
	enum metric_level level;
	enum metric_publisher publisher;
	const char *prometheus;
	const char *text;
};

extern const struct metric_info metric_info[METRIC_COUNT];
extern const char *const metric_unit_names[]; /* as CloudWatch has them */

#endif
