/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the operator wants of the agent: /etc/natxdp/natxdpd.conf. */
#ifndef NATXDP_AGENT_CONF_H
#define NATXDP_AGENT_CONF_H

#include <stdbool.h>
#include <stdio.h>

#include "ha/members.h"
#include "keys.h"
#include "values.h"

struct err;

#define CONF_FILE "/etc/natxdp/natxdpd.conf"

enum {
	CONF_TEXT_MAX = 256,
	CONF_PROTOS = 4, /* bits of proto_filter: tcp, udp, icmp, other */
};

enum conf_level { LEVEL_OFF, LEVEL_BASIC, LEVEL_EXTENDED };
enum conf_records { RECORDS_OFF, RECORDS_CLOSE, RECORDS_ALL };

/* Texts are "" where the file says none or auto. */
struct conf {
	char nat_id[CONF_TEXT_MAX];
	char zone[CONF_TEXT_MAX];
	char pin_dir[PIN_DIR_MAX];
	char user[CONF_TEXT_MAX];
	uint32_t interval;     /* ms */
	uint32_t sample;       /* ms */
	uint32_t scan;	       /* ms */
	uint32_t health_probe; /* ms */
	uint32_t drain_quiet;  /* ms */
	uint32_t drain_time;   /* ms */
	char http_listen[CONF_TEXT_MAX];
	char http_cert[CONF_TEXT_MAX];
	char http_key[CONF_TEXT_MAX];
	uint32_t metrics;	/* enum conf_level */
	uint32_t metrics_queue; /* intervals */
	uint32_t records;	/* enum conf_records */
	uint32_t record_sample;
	uint32_t record_min_bytes;
	struct prefix_list record_inside;
	uint32_t record_protocols; /* bits */
	char record_file[CONF_TEXT_MAX];
	uint32_t record_file_size; /* bytes */
	uint32_t record_file_count;
	char record_logs[CONF_TEXT_MAX];
	char record_ipfix[CONF_TEXT_MAX];
	uint32_t talkers; /* of each kind; 0: off */
	char talkers_logs[CONF_TEXT_MAX];
	char aws_region[CONF_TEXT_MAX];
	char aws_endpoint[CONF_TEXT_MAX];
	char aws_ca_file[CONF_TEXT_MAX];
	uint32_t aws_timeout; /* ms */
	uint32_t imds;	      /* switch */
	uint32_t imds_interval;
	char imds_endpoint[CONF_TEXT_MAX];
	struct ha_conf ha;
	uint64_t given;
};

extern const struct setting conf_table[];

void conf_init(struct conf *conf);
int conf_read(struct conf *conf, const char *path, struct err *err);
int conf_check(const struct conf *conf, struct err *err);
void conf_print(const struct conf *conf, FILE *out);

/* HOST:PORT as in http_listen and record_ipfix; @host is without brackets. 0 or -EINVAL. */
int conf_split_address(const char *text, char host[CONF_TEXT_MAX], uint16_t *port);

/* Is anything to be sent to AWS? */
bool conf_uses_aws(const struct conf *conf);

#endif
