/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The health pages of agents, all at a time. */
#ifndef NATXDP_LAMBDA_PAGES_H
#define NATXDP_LAMBDA_PAGES_H

#include <stdbool.h>

enum { PAGES_MAX = 128 };

struct page {
	char url[128];
	int status;   /* of HTTP; 0: no answer */
	bool refused; /* by its kernel, which lives then */
	char why[96]; /* why there was none */
};

/* Fetches @count pages; each has @timeout_ms. */
void pages_fetch(struct page *pages, unsigned int count, long timeout_ms);

#endif
