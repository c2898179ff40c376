/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "awsclient.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "err.h"
#include "loop.h"

struct awsclient {
	struct loop *loop;
	struct aws_client *client;
	int timer;
};

static void client_ready(void *ctx, int fd, uint32_t events)
{
	struct awsclient *a = ctx;

	aws_client_ready(a->client, fd, events);
}

static int watch(void *ctx, int fd, uint32_t events)
{
	struct awsclient *a = ctx;

	return loop_watch(a->loop, fd, events, client_ready, a);
}

static void arm(void *ctx, int64_t delay_ms)
{
	struct awsclient *a = ctx;

	loop_timer_once(a->timer, delay_ms);
}

static void wake(void *ctx)
{
	struct awsclient *a = ctx;

	aws_client_wake(a->client);
}

struct awsclient *awsclient_new(struct loop *loop, const struct conf *conf,
				const struct aws_options *options, struct err *err)
{
	struct awsclient *a = calloc(1, sizeof(*a));
	struct aws_loop aws_loop = { .ctx = a, .watch = watch, .arm = arm };
	struct aws_options all = *options;
	int ret;

	if (!a) {
		err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		return NULL;
	}
	all.region = *conf->aws_region ? conf->aws_region : NULL;
	all.endpoint_all = *conf->aws_endpoint ? conf->aws_endpoint : NULL;
	all.imds_endpoint = *conf->imds_endpoint ? conf->imds_endpoint : NULL;
	all.ca_file = *conf->aws_ca_file ? conf->aws_ca_file : NULL;
	all.no_imds = !conf->imds;
	all.budget_ms = conf->aws_timeout;
	a->loop = loop;
	a->timer = loop_timer(loop, wake, a);
	ret = a->timer < 0 ? a->timer : aws_client_new(&a->client, &aws_loop, &all);
	if (!ret)
		return a;
	err_set(err, STATUS_SYSTEM, ret, "the AWS client cannot be made: %s", strerror(-ret));
	awsclient_free(a);
	return NULL;
}

void awsclient_free(struct awsclient *a)
{
	if (!a)
		return;
	aws_client_free(a->client);
	loop_timer_free(a->loop, a->timer);
	free(a);
}

struct aws_client *awsclient_get(const struct awsclient *a)
{
	return a->client;
}
