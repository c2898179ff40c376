/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "metrics.h"

const struct metric_info metric_info[METRIC_COUNT] = {
#define METRIC(id, name, unit, kind, dims, level, publisher, prometheus, text) \
	{ name,		  UNIT_##unit,		 KIND_##kind, DIMS_##dims,     \
	  METRIC_##level, PUBLISHER_##publisher, prometheus,  text },
	NATXDP_METRICS(METRIC)
#undef METRIC
};

const char *const metric_unit_names[] = {
	[UNIT_COUNT] = "Count",
	[UNIT_BYTES] = "Bytes",
	[UNIT_PERCENT] = "Percent",
	[UNIT_MILLISECONDS] = "Milliseconds",
	[UNIT_BITS_PER_SECOND] = "Bits/Second",
	[UNIT_NONE] = "None",
};
