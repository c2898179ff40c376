/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The connections of tcp_load, and what it says of them. */
#ifndef TCP_LOAD_H
#define TCP_LOAD_H

#include <netinet/in.h>

#include "message.h"

enum {
	LOAD_ADDRESSES = 256,
	/* beside the numbers of errno */
	LOAD_EOF = 1001,
	LOAD_CORRUPT = 1002, /* bytes that were not sent */
	LOAD_PEER = 1003,    /* the server sees another address than before */
};

enum state { CONNECTING = 1, OPEN, FAILED, LOST };

/* Times are those of the wall clock, in seconds. */
struct connection {
	int fd;
	enum state state;
	uint32_t number, sequence;
	bool waits;    /* for the message @sequence */
	bool answered; /* one that was sent after the mark is back */
	int why;       /* it failed or was lost */
	uint32_t peer; /* the address that the server sees, network byte order */
	double began_at, opened_at, sent_at, lost_at;
	double gap; /* the longest after the mark */
	uint32_t have;
	uint8_t bytes[MESSAGE_MAX];
};

struct load {
	int ready;
	struct sockaddr_in to[LOAD_ADDRESSES], from[LOAD_ADDRESSES];
	uint32_t destinations, sources;
	uint32_t room, rate, window, interval, size;
	uint64_t seed;
	struct connection *connections;
	uint32_t count, wanted, connecting;
	uint32_t open_from; /* those from here on are opened at the rate, */
	double open_since;  /* from then on */
	uint32_t turn;	    /* whose turn it is to send */
	double sent_until, marked_at;
	uint64_t messages;
};

double load_now(void);

/* Prints one line of JSON. */
void load_report(const struct load *load, const char *order);

#endif
