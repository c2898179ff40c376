/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The kinds of values that only the agent's configuration has. */
#ifndef NATXDP_AGENT_CONF_VALUES_H
#define NATXDP_AGENT_CONF_VALUES_H

#include "values.h"

/* char[CONF_TEXT_MAX] */
extern const struct value_kind kind_name, kind_name_or_auto, kind_name_or_none, kind_file,
	kind_address, kind_url;

/* uint32_t */
extern const struct value_kind kind_count, kind_level, kind_records, kind_protocols;

#endif
