/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A flow record as people and collectors get it: pure functions. */
#ifndef NATXDP_AGENT_RECORD_H
#define NATXDP_AGENT_RECORD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <natxdp/record.h>

#include "conf.h"

enum { RECORD_JSON_MAX = 640, RECORD_IPFIX_SIZE = 83, RECORD_IPFIX_TEMPLATE = 256 };

/* How ticks of the data plane are told as time of day. */
struct record_clock {
	int64_t wall_ms;
	uint32_t tick; /* at that time */
};

int64_t record_time(const struct record_clock *clock, uint32_t tick);

/* How the flow came to its end: fin, rst, idle, unanswered, ended. "" if it has not. */
const char *record_reason(const struct natxdp_record *record);

bool record_wanted(const struct natxdp_record *record, const struct conf *conf);

/* One line with its end. Returns its length. */
size_t record_json(const struct natxdp_record *record, const struct record_clock *clock,
		   char text[RECORD_JSON_MAX]);

/* A data record of the template that record_ipfix_template() writes. */
void record_ipfix(const struct natxdp_record *record, const struct record_clock *clock,
		  uint8_t data[RECORD_IPFIX_SIZE]);

/* A whole template set. Returns its length. */
size_t record_ipfix_template(uint8_t *data, size_t room);

#endif
