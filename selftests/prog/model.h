/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A plain, slow NAT, written from the requirements (RFC 4787, 5382, 5508):
 * arrays and linear searches. It does not choose external ends: those it
 * learns from the data plane, and it says whether they may be.
 */
#ifndef SELFTESTS_MODEL_H
#define SELFTESTS_MODEL_H

#include "box.h"
#include "wire.h"

enum { MODEL_FLOWS = 8192, MODEL_MAPPINGS = 4096, MODEL_DATAGRAMS = 512, MODEL_HOSTS = 1024 };
enum { MODEL_OUT, MODEL_IN }; /* the directions of a flow */

enum hop_kind { HOP_REFLECT, HOP_KERNEL, HOP_MAC };

struct hop {
	enum hop_kind kind;
	uint8_t dst[6], src[6];
};

struct model_way {
	struct end src, dst;	     /* as its packets come, */
	struct end new_src, new_dst; /* and as they go */
	enum box_side side;
	struct hop hop;
	uint64_t packets, bytes;
	bool syn, ack, fin, rst; /* sent since its last SYN */
};

/* What the load balancer has put to the last packet of the inside. */
struct model_label {
	uint32_t cookie;
	uint16_t sport;
};

struct model_flow {
	uint8_t proto;
	bool hairpin;
	bool refused; /* by the other inside host's filtering: no packet goes by it */
	double used;  /* when a packet refreshed it last */
	int mapping;  /* that it holds, or -1 */
	int target;   /* mapping of the other inside host of a hairpin flow, or -1 */
	struct model_label label;
	struct model_way way[2];
};

/* Endpoint-independent: an inside end and its external end. */
struct model_mapping {
	uint8_t proto;
	struct end inside, external;
	unsigned int holders; /* flows; with none it may go any time */
	struct hop hop;	      /* towards the inside host */
};

/* An inside end has sent to a remote address; that may be forgotten when no flow holds it. */
struct model_sent {
	uint8_t proto;
	struct end inside;
	uint32_t remote;
	unsigned int holders;
};

/* Tokens of an inside host under a limit: there are at least and at most so many. */
struct model_quota {
	uint32_t inside;
	double least, most;
	double least_at, most_at;
};

struct model_datagram {
	enum box_side side;
	uint32_t src, dst;
	uint16_t id;
	uint8_t proto, tunnel;
	enum wire_kind kind; /* of the first fragment */
	uint16_t sport, dport;
	bool host, refused;
	double when; /* the first one came */
	unsigned int pieces;
	size_t from[32], to[32];
};

struct model {
	struct box_options options;
	uint32_t blocked;	  /* an inside address, or 0 */
	uint64_t draining;	  /* bits by external address */
	double before, now;	  /* the packet came between these */
	struct model_label label; /* with this */
	uint64_t opened;
	struct model_flow flows[MODEL_FLOWS];
	unsigned int flow_count;
	struct model_mapping mappings[MODEL_MAPPINGS];
	unsigned int mapping_count;
	struct model_sent sent[MODEL_MAPPINGS];
	unsigned int sent_count;
	struct model_datagram datagrams[MODEL_DATAGRAMS]; /* a ring */
	unsigned int datagram_count;
	struct {
		uint32_t inside, external;
	} pairs[MODEL_HOSTS];
	unsigned int pair_count;
	struct model_quota quotas[MODEL_HOSTS];
	unsigned int quota_count;
	/*
	 * Ports may seem to be taken which are not: a full range is remembered for a
	 * moment, and what a refused packet got is given back later. Only where they
	 * are few.
	 */
	double scarce_until;
};

/* How the addresses of the box and of its networks lie. */
bool model_is_inside(uint32_t a);
bool model_is_no_nat(uint32_t a);
bool model_is_external(const struct model *m, uint32_t a);
bool model_is_own(const struct model *m, uint32_t a);
bool model_is_host_port(uint16_t port);
bool model_is_draining(const struct model *m, uint32_t address);
enum box_side model_side(const struct model *m, enum box_side side);

struct model_flow *model_find(struct model *m, enum box_side side, const struct wire *w, int *way);
/* What a refused packet from an inside end to a remote one has left; of any port, if that is 0. */
struct model_flow *model_refused(struct model *m, uint8_t proto, struct end inside,
				 struct end remote);
int model_mapping(const struct model *m, uint8_t proto, struct end inside);
int model_mapped(const struct model *m, uint8_t proto, struct end external);
/* Has an inside end sent to a remote address? NULL if not. */
struct model_sent *model_sent(struct model *m, uint8_t proto, struct end inside, uint32_t remote);
struct model_datagram *model_datagram(struct model *m, enum box_side side, const struct wire *w);
/* May it be forgotten? */
bool model_datagram_is_old(const struct model *m, const struct model_datagram *d);
uint32_t model_paired(const struct model *m, uint32_t inside);

/* May the data plane give this external end to the flow? NULL, or why not. */
const char *model_refuses(struct model *m, const struct model_flow *flow, struct end external);
/* Is there any external end left for it? @gone: if what may have expired has. */
bool model_has_room(const struct model *m, const struct model_flow *flow, bool gone);

/* Does a flow hold it that cannot have expired? */
bool model_mapping_held(const struct model *m, int mapping);
bool model_sent_held(const struct model *m, const struct model_sent *sent);
/* Everything has expired. */
void model_forget(struct model *m);
/* The flows of an inside host were ended. */
void model_end(struct model *m, uint32_t inside);

struct model_flow *model_open(struct model *m, const struct model_flow *flow);
struct model_sent *model_sends(struct model *m, uint8_t proto, struct end inside, uint32_t remote);
void model_touch(struct model *m, struct model_flow *f, int way, const struct wire *w);
void model_close(struct model *m, struct model_flow *f);
/* May the sweeper have removed it, must it have? */
bool model_may_be_gone(const struct model *m, const struct model_flow *f);
bool model_must_be_gone(const struct model *m, const struct model_flow *f);

const char *model_state(const struct model_flow *f);

#endif
