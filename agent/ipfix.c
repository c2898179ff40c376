/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The exporting process of RFC 7011 over UDP: one template, sent again and
 * again since UDP loses (section 8.1), and messages that fit one packet.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "err.h"
#include "loop.h"
#include "sinks.h"

enum {
	VERSION = 10,
	HEADER = 16,
	SET_HEADER = 4,
	MESSAGE_MAX = 1400, /* with UDP and IP headers still below the MTU of the internet */
	TEMPLATE_EVERY_MS = 30000,
};

struct ipfix {
	int fd;
	uint32_t domain;
	uint32_t sequence; /* data records sent so far, modulo 2^32 */
	int64_t template_ms;
	uint8_t message[MESSAGE_MAX];
	size_t used; /* 0: no record yet */
	uint32_t records;
	struct sink_counts counts;
};

struct ipfix *ipfix_open(const char *address, uint32_t domain, struct err *err)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct ipfix *ipfix = calloc(1, sizeof(*ipfix));
	char host[CONF_TEXT_MAX];
	bool is_v4;
	uint16_t port;
	int ret;

	if (!ipfix || conf_split_address(address, host, &port)) {
		free(ipfix);
		err_set(err, STATUS_CONFIG, EINVAL, "record_ipfix = %s: cannot be used", address);
		return NULL;
	}
	is_v4 = inet_pton(AF_INET, host, &in.sin_addr) == 1;
	inet_pton(AF_INET6, host, &in6.sin6_addr);
	in.sin_port = in6.sin6_port = htons(port);
	ipfix->domain = domain;
	ipfix->fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			   0);
	ret = ipfix->fd < 0 ? -1 :
	      is_v4	    ? connect(ipfix->fd, (struct sockaddr *)&in, sizeof(in)) :
			      connect(ipfix->fd, (struct sockaddr *)&in6, sizeof(in6));
	if (!ret)
		return ipfix;
	err_set(err, STATUS_SYSTEM, errno, "record_ipfix = %s: no way there: %s", address,
		strerror(errno));
	ipfix_close(ipfix);
	return NULL;
}

static void put32(uint8_t *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, sizeof(value));
}

static void put16(uint8_t *at, uint16_t value)
{
	value = htons(value);
	memcpy(at, &value, sizeof(value));
}

static bool send_message(struct ipfix *ipfix, uint8_t *message, size_t len, int64_t wall_ms)
{
	put16(message, VERSION);
	put16(message + 2, len);
	put32(message + 4, wall_ms / 1000);
	put32(message + 8, ipfix->sequence);
	put32(message + 12, ipfix->domain);
	return send(ipfix->fd, message, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void send_template(struct ipfix *ipfix, int64_t wall_ms)
{
	uint8_t message[HEADER + 256];
	size_t len = record_ipfix_template(message + HEADER, sizeof(message) - HEADER);

	if (send_message(ipfix, message, HEADER + len, wall_ms))
		ipfix->template_ms = loop_monotonic_ms();
}

void ipfix_flush(struct ipfix *ipfix, int64_t wall_ms)
{
	if (!ipfix->used)
		return;
	if (!ipfix->template_ms || loop_monotonic_ms() - ipfix->template_ms > TEMPLATE_EVERY_MS)
		send_template(ipfix, wall_ms);
	put16(ipfix->message + HEADER, RECORD_IPFIX_TEMPLATE);
	put16(ipfix->message + HEADER + 2, ipfix->used - HEADER);
	/* what an earlier packet was refused for is said at this one (ECONNREFUSED) */
	if (send_message(ipfix, ipfix->message, ipfix->used, wall_ms))
		ipfix->counts.written += ipfix->records;
	else
		ipfix->counts.lost += ipfix->records;
	ipfix->sequence += ipfix->records; /* a gap tells the collector of the loss */
	ipfix->used = ipfix->records = 0;
}

void ipfix_add(struct ipfix *ipfix, const struct natxdp_record *record,
	       const struct record_clock *clock)
{
	if (ipfix->used + RECORD_IPFIX_SIZE > MESSAGE_MAX)
		ipfix_flush(ipfix, clock->wall_ms);
	if (!ipfix->used)
		ipfix->used = HEADER + SET_HEADER;
	record_ipfix(record, clock, ipfix->message + ipfix->used);
	ipfix->used += RECORD_IPFIX_SIZE;
	ipfix->records++;
}

struct sink_counts ipfix_counts(const struct ipfix *ipfix)
{
	return ipfix->counts;
}

void ipfix_close(struct ipfix *ipfix)
{
	if (!ipfix)
		return;
	if (ipfix->fd >= 0)
		close(ipfix->fd);
	free(ipfix);
}
