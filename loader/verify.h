/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Is the NAT that runs the one that was asked for, and does it translate?
 * Looks, and runs one packet; changes nothing.
 */
#ifndef NATXDP_VERIFY_H
#define NATXDP_VERIFY_H

#include <stdbool.h>

struct err;

enum { FINDINGS_MAX = 64 };

enum finding_kind {
	FINDING_OK,
	FINDING_NOTE,  /* an operator's doing, or nothing that `reload` could mend */
	FINDING_DRIFT, /* differs from what was asked for: `reload` mends it */
	FINDING_BROKEN,
};

struct finding {
	enum finding_kind kind;
	char check[24]; /* which check: pins, program, attachment, ... */
	char what[64];	/* of it, or "" */
	char found[160];
	char needed[160];
};

struct verification {
	unsigned int count;
	struct finding item[FINDINGS_MAX];
};

struct wire;

/*
 * Returns 0 whatever was found, or -errno if it could not even be looked at.
 * @wire: a target for a packet over the wire, or NULL.
 */
int verify(struct verification *verification, const char *pin_dir, struct wire *wire,
	   struct err *err);

/* The worst that was found. */
enum finding_kind verification_worst(const struct verification *verification);

#endif
