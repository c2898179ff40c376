/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Frames as bytes, for the model of the NAT: what is in them, and what they
 * become. Every checksum is computed from zero; one that was wrong before a
 * translation is wrong by as much after it.
 */
#ifndef SELFTESTS_WIRE_H
#define SELFTESTS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_kind {
	WIRE_NOT_IPV4,
	WIRE_MALFORMED,
	WIRE_TCP,
	WIRE_UDP,
	WIRE_ECHO,
	WIRE_ECHO_REPLY,
	WIRE_ICMP_ERROR,
	WIRE_ICMP_OTHER,
	WIRE_BARE,     /* a protocol without ports */
	WIRE_FRAGMENT, /* not the first one */
};

enum { WIRE_ETH = 14, WIRE_IP = 20 };
enum { WIRE_FIN = 0x01, WIRE_SYN = 0x02, WIRE_RST = 0x04, WIRE_PSH = 0x08, WIRE_ACK = 0x10 };

/* Host order. The identifier of an echo is the port of who asked; the other port is 0. */
struct end {
	uint32_t addr;
	uint16_t port;
	uint8_t tunnel; /* behind which it is; 0: none */
};

struct wire {
	enum wire_kind kind;
	struct end src, dst;
	uint8_t proto;
	uint8_t ttl;
	uint8_t tcp_flags;
	bool first; /* fragment, and there are more */
	bool dont_fragment;
	uint16_t id;
	size_t offset;	/* of a fragment, in bytes */
	size_t ip_len;	/* of the header */
	size_t total;	/* as the header says */
	size_t l4_len;	/* total - ip_len */
	size_t counted; /* bytes as the counters have them */
};

uint16_t wire_get16(const uint8_t *p);
void wire_put16(uint8_t *p, uint16_t value);
uint32_t wire_get32(const uint8_t *p);
bool wire_same(struct end a, struct end b);

void wire_read(const uint8_t *frame, size_t len, struct wire *w);
/* Where the fourth layer of a frame begins. */
size_t wire_l4(const struct wire *w);
/* The right values of all checksums of a frame that has ports, into the frame. */
void wire_mend(uint8_t *frame, const struct wire *w);

/* What an ICMP error quotes. */
enum wire_quote { WIRE_QUOTE_OK, WIRE_QUOTE_SHORT, WIRE_QUOTE_SUM };
enum wire_quote wire_read_quote(const uint8_t *frame, const struct wire *w, struct wire *quote);

void wire_translate(uint8_t *frame, const struct wire *w, struct end src, struct end dst, bool hop);

/* An error goes to @dst, from @src, and the quote gets other ends. */
struct wire_error {
	uint32_t src, dst;
	struct end quoted_src, quoted_dst;
	bool hop;
};
void wire_translate_error(uint8_t *frame, const struct wire *w, const struct wire *quote,
			  const struct wire_error *to);

/* What a router answers to a frame. Both return the length of the answer. */
struct wire_answer {
	uint32_t src;
	uint8_t type, code;
	uint16_t mtu;
};
size_t wire_answer_icmp(const uint8_t *frame, const struct wire *w, const struct wire_answer *a,
			uint8_t *to);
size_t wire_answer_rst(const uint8_t *frame, const struct wire *w, uint8_t *to);

#endif
