/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Frames made of fields, and fields read back from frames. */
#ifndef SELFTESTS_FRAME_H
#define SELFTESTS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_MAX = 2048 };

/* Addresses and ports in host order. What is 0 gets a sensible value or stays 0. */
struct frame {
	uint8_t src_mac[6], dst_mac[6];
	uint32_t saddr, daddr;
	uint16_t sport, dport; /* ICMP echo: sport is the identifier */
	uint8_t proto;	       /* IPPROTO_* */
	uint8_t ttl;	       /* 0: 64 */
	uint8_t tos;
	uint16_t frag_off; /* flags and offset, host order */
	uint8_t tcp_flags;
	uint32_t seq, ack;
	uint8_t tcp_options[40]; /* the first bytes of the payload are these */
	uint8_t tcp_options_len; /* a multiple of 4, at most payload */
	uint8_t icmp_type;	 /* echo request is 8 */
	bool no_udp_csum;
	uint8_t ip_options; /* bytes of no-operation options, a multiple of 4 */
	uint16_t payload;   /* bytes of it */
	uint8_t fill;	    /* first byte of the payload, counting up */
	uint16_t word;	    /* not 0: overwrites the first two bytes of the payload */
	uint16_t padding;   /* bytes behind the IP packet, as Ethernet adds */
};

/* Write the frame, all checksums right. Returns its length. */
size_t frame_build(const struct frame *f, uint8_t *to);

/*
 * An ICMP error of which @f gives the outer header and icmp_type; it quotes
 * @quoted bytes from @quote. Returns its length.
 */
size_t frame_build_error(const struct frame *f, uint8_t code, const uint8_t *quote, size_t quoted,
			 uint8_t *to);

/*
 * Read a frame back. Every checksum is computed again from zero; false if one
 * is wrong or a length does not fit. A UDP checksum of 0 sets no_udp_csum.
 */
bool frame_parse(const uint8_t *from, size_t len, struct frame *f);

/* Do the payloads of two frames agree, byte by byte? */
bool frame_same_payload(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);

uint32_t addr(const char *dotted);

#endif
