/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* /metrics, /healthz, /readyz and /status, by libmicrohttpd inside our event loop. */
#ifndef NATXDP_AGENT_HTTP_H
#define NATXDP_AGENT_HTTP_H

struct agent;
struct err;
struct http;

/* NULL with @err written. */
struct http *http_start(struct agent *agent, struct err *err);
void http_stop(struct http *http);

#endif
