/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the documents of the probes print. */
#ifndef NATXDP_LAMBDA_TRAFFIC_H
#define NATXDP_LAMBDA_TRAFFIC_H

struct traffic {
	unsigned int tried;
	unsigned int done;
	double latency_ms;	/* in all, the mean of those done */
	double bits_per_second; /* the slower way */
};

/*
 * @use "web": lines "URL CODE CONNECT_SECONDS TOTAL_SECONDS"; done is a code of
 * 200 to 399. "throughput": documents of iperf3 --json, one after the other.
 * What is neither is left out.
 */
void traffic_read(struct traffic *traffic, const char *use, const char *output);

#endif
