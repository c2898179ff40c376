/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "quota.h"

#include <assert.h>

/* How far the data plane's clock is off: ticks of 17 ms, read from a coarse clock. */
static const double clock_off = 0.05;
/* No shorter time counts as certain: the bucket may have been full for a part of it. */
static const double certain_after = 0.25;

static struct model_quota *quota_of(struct model *m, uint32_t inside)
{
	struct model_quota *q;
	unsigned int i;

	for (i = 0; i < m->quota_count; i++)
		if (m->quotas[i].inside == inside)
			return &m->quotas[i];
	assert(m->quota_count < MODEL_HOSTS);
	q = &m->quotas[m->quota_count++];
	*q = (struct model_quota){ .inside = inside,
				   .least = m->options.limit_rate,
				   .most = m->options.limit_rate,
				   .least_at = m->now,
				   .most_at = m->before };
	return q;
}

static void count_flows(const struct model *m, uint32_t inside, unsigned int *least,
			unsigned int *most)
{
	unsigned int i;

	*least = 0;
	*most = 0;
	for (i = 0; i < m->flow_count; i++) {
		if (m->flows[i].way[MODEL_OUT].src.addr != inside)
			continue;
		*least += !model_may_be_gone(m, &m->flows[i]);
		*most += 1;
	}
}

struct quota_answer quota_ask(struct model *m, uint32_t inside)
{
	struct model_quota *q = quota_of(m, inside);
	double rate = m->options.limit_rate, most;
	struct quota_answer answer = { .may_open = true };
	unsigned int flows_least, flows_most;

	if (!m->options.limit_flows && !m->options.limit_rate)
		return answer;
	count_flows(m, inside, &flows_least, &flows_most);
	if (m->options.limit_flows) {
		answer.may_be_many = flows_most >= m->options.limit_flows;
		answer.may_open = flows_least < m->options.limit_flows;
	}
	if (!m->options.limit_rate || !answer.may_open)
		return answer;
	if (!flows_least) { /* a host without flows is forgotten, and begins anew */
		q->most = rate;
		q->most_at = m->before;
	}
	most = q->most + (m->now - q->most_at + clock_off) * rate;
	if (m->before - q->least_at > certain_after) {
		q->least += (m->before - q->least_at - certain_after) * rate;
		q->least = q->least > rate ? rate : q->least;
		q->least_at = m->now;
	}
	answer.may_be_fast = q->least < 1;
	answer.may_open = most >= 1;
	return answer;
}

void quota_take(struct model *m, uint32_t inside, bool opened)
{
	struct model_quota *q = quota_of(m, inside);
	double rate = m->options.limit_rate, most;

	q->least -= 1;
	if (!opened) /* perhaps forgotten again at once */
		return;
	most = q->most + (m->now - q->most_at + clock_off) * rate;
	if (most > rate) { /* it was not more than full */
		q->most = rate;
		q->most_at = m->before;
	}
	q->most -= 1;
}
