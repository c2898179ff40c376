/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Asking the agent of a NAT: one line of JSON to its socket, one back. */
#ifndef NATXDP_ASK_H
#define NATXDP_ASK_H

struct cJSON;
struct err;

/*
 * Takes @request. *@reply is the caller's to delete. An answer that says
 * {"error": ...} is an error with that text. Returns 0 or -errno with @err written.
 */
int ask_agent(const char *pin_dir, struct cJSON *request, struct cJSON **reply, struct err *err);

/* {"command": ...}; NULL without memory. */
struct cJSON *ask_request(const char *command);

#endif
