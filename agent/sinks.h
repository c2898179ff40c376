/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where flow records go. Each sink takes a record or says that it has not; how
 * many it lost it says when it is asked. None of them waits.
 */
#ifndef NATXDP_AGENT_SINKS_H
#define NATXDP_AGENT_SINKS_H

#include <stddef.h>
#include <stdint.h>

#include "record.h"

struct agent;
struct err;

struct sink_counts {
	uint64_t written;
	uint64_t lost;
};

/* JSON lines in a file that is renamed when it is large enough. */
struct filesink;
struct filesink *filesink_open(const char *path, uint32_t size, uint32_t count, struct err *err);
void filesink_add(struct filesink *sink, const char *line, size_t len);
void filesink_flush(struct filesink *sink);
struct sink_counts filesink_counts(const struct filesink *sink);
void filesink_close(struct filesink *sink);

/* IPFIX over UDP (RFC 7011), NAT events (RFC 8158). */
struct ipfix;
struct ipfix *ipfix_open(const char *address, uint32_t domain, struct err *err);
void ipfix_add(struct ipfix *ipfix, const struct natxdp_record *record,
	       const struct record_clock *clock);
void ipfix_flush(struct ipfix *ipfix, int64_t wall_ms);
struct sink_counts ipfix_counts(const struct ipfix *ipfix);
void ipfix_close(struct ipfix *ipfix);

/* A log stream of CloudWatch Logs, made if it is not there. */
struct logsink;
struct logsink *logsink_open(struct agent *agent, const char *group, const char *stream);
void logsink_add(struct logsink *sink, int64_t time_ms, const char *text, size_t len);
void logsink_flush(struct logsink *sink);
/* What has not arrived is lost. */
void logsink_drop(struct logsink *sink);
struct sink_counts logsink_counts(const struct logsink *sink);
void logsink_close(struct logsink *sink);

#endif
