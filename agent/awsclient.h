/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* An AWS client (aws/client.h) in the agent's event loop. */
#ifndef NATXDP_AGENT_AWSCLIENT_H
#define NATXDP_AGENT_AWSCLIENT_H

#include "aws/client.h"

struct awsclient;
struct conf;
struct err;
struct loop;

/*
 * @options: what is not from the configuration; region, endpoints, certificates and budget are.
 * NULL with @err written on failure.
 */
struct awsclient *awsclient_new(struct loop *loop, const struct conf *conf,
				const struct aws_options *options, struct err *err);
void awsclient_free(struct awsclient *awsclient);

struct aws_client *awsclient_get(const struct awsclient *awsclient);

#endif
