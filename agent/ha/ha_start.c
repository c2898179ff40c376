/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent.h"
#include "aws/ssm.h"
#include "awsclient.h"
#include "control.h"
#include "err.h"
#include "ha_state.h"
#include "log.h"
#include "ping.h"
#include "replication.h"

enum {
	TICKS = 4, /* in an interval of heartbeats */
	POLL_MS = 5000,
	AUDIT_MS = 60000,
	SYNC_PATIENCE_MS = 30000,
	KEY_RETRY_MS = 5000,
	ATTEMPT_MS = 5000,
	CONNECT_MS = 1000,
	CALLS_AT_ONCE = 16,
};

static void key_done(void *ctx, const struct aws_result *result)
{
	const struct aws_parameter *parameter = result->output;
	struct secrets secrets = { 0 };
	struct err err = { 0 };
	struct ha *ha = ctx;

	if (result->fault != AWS_OK)
		log_error("ha_key_parameter: %s: tried again", result->message);
	else if (secrets_parse(&secrets, parameter->value, "ha_key_parameter", &err))
		log_error("%s", err.text);
	else
		channel_set_secrets(ha->channel, &secrets);
	if (!secrets.count)
		loop_timer_once(ha->key, KEY_RETRY_MS);
	secrets_forget(&secrets);
}

static void ask_key(void *ctx)
{
	struct ha *ha = ctx;
	struct aws_caller caller = { .done = key_done, .ctx = ha };

	if (aws_ssm_get_parameter(awsclient_get(ha->client), ha->members.conf->key_parameter,
				  &caller) < 0)
		loop_timer_once(ha->key, KEY_RETRY_MS);
}

static int read_secrets(const struct ha *ha, struct secrets *secrets, struct err *err)
{
	if (*ha->members.conf->key_file)
		return secrets_read(secrets, ha->members.conf->key_file, err);
	/* until the parameter comes nobody has this one */
	secrets->count = 1;
	if (getrandom(secrets->secret[0], SECRET_SIZE, 0) == SECRET_SIZE)
		return 0;
	return err_set(err, STATUS_SYSTEM, errno, "no random numbers: %s", strerror(errno));
}

static int open_channel(struct ha *ha, struct err *err)
{
	const struct ha_node *node = ha->members.conf->nodes.item;
	struct channel_user user = { .received = ha_on_heartbeat, .ctx = ha };
	struct secrets secrets = { 0 };
	int ret = read_secrets(ha, &secrets, err);

	if (!ret)
		ha->channel = channel_open(ha->agent->loop, node[ha->members.self].address,
					   &secrets, err);
	secrets_forget(&secrets);
	if (!ha->channel)
		return -EIO;
	channel_use(ha->channel, CHANNEL_HEARTBEAT, &user);
	for (unsigned int i = 0; i < ha->members.nodes; i++) {
		ha->peer[i] = -1;
		if (i == ha->members.self)
			continue;
		ret = channel_add_peer(ha->channel, node[i].address, err);
		if (ret < 0)
			return ret;
		ha->peer[i] = ret;
		ha->node[ret] = i;
	}
	return 0;
}

static int start_calls(struct ha *ha, struct err *err)
{
	const struct aws_options options = {
		.connect_ms = CONNECT_MS,
		.attempt_ms = ATTEMPT_MS,
		.in_flight = CALLS_AT_ONCE,
	};
	struct move_user user = { ha_on_event, ha_on_placed, ha };

	ha->client = awsclient_new(ha->agent->loop, &ha->agent->conf, &options, err);
	if (!ha->client)
		return -EIO;
	ha->leases = leases_new(awsclient_get(ha->client), &ha->members, ha_on_event, ha);
	if (ha->leases)
		ha->moves = moves_new(ha->agent->loop, awsclient_get(ha->client), &ha->members,
				      ha->leases, &user);
	if (ha->moves)
		ha->weights = weights_new(ha->agent->loop, awsclient_get(ha->client), &ha->members,
					  ha->leases, &ha->policy, ha_on_weights_failed, ha);
	return ha->weights ? 0 :
			     err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory or descriptors");
}

static void start_duty(struct ha *ha)
{
	const struct ha_node *self = &ha->members.conf->nodes.item[ha->members.self];

	snprintf(ha->who, sizeof(ha->who), "failover node=%s", self->id);
	ha->duty = (struct duty){
		.agent = ha->agent,
		.client = awsclient_get(ha->client),
		.instance = self->instance,
		.who = ha->who,
		/* at the first tick it is registered, as it may have gone before */
		.off = true,
	};
}

static int start_timers(struct ha *ha, struct err *err)
{
	uint32_t heartbeat = ha->members.conf->heartbeat;

	ha->tick = loop_timer(ha->agent->loop, ha_on_tick, ha);
	ha->beat = loop_timer(ha->agent->loop, ha_on_beat, ha);
	ha->key = loop_timer(ha->agent->loop, ask_key, ha);
	if (ha->tick < 0 || ha->beat < 0 || ha->key < 0)
		return err_set(err, STATUS_SYSTEM, EMFILE, "no timers: too many open files");
	loop_timer_every(ha->tick, heartbeat / TICKS);
	loop_timer_every(ha->beat, heartbeat);
	if (*ha->members.conf->key_parameter)
		loop_timer_once(ha->key, 0);
	return 0;
}

/* What the data plane was told last: by an agent before us, or by nobody. */
static void read_resting(struct ha *ha)
{
	const struct pool *pool = &ha->agent->source.pool;

	for (unsigned int i = 0; i < ha->members.conf->addresses.count; i++) {
		int index = pool_find(pool, ha->members.private[i][ha->members.self]);

		if (index < 0)
			log_error("ha_addresses: %s: its private address on this node is no external "
				  "address of the NAT: name it in natxdp.conf",
				  ha->members.conf->addresses.item[i].allocation);
		else if (pool->item[index].flags & NATXDP_POOL_STANDBY)
			ha->resting |= 1ull << i;
	}
}

static void start_policy(struct ha *ha)
{
	const struct ha_conf *from = ha->members.conf;
	struct policy_conf conf = {
		.self = ha->members.self,
		.nodes = ha->members.nodes,
		.zones = ha->members.zones,
		.failback = from->failback,
		.interval = from->heartbeat,
		.silence = (int64_t)from->heartbeat * from->suspicion,
		.damping = from->damping,
		.poll = POLL_MS,
		.audit = AUDIT_MS,
		.sync_patience = SYNC_PATIENCE_MS,
	};
	uint64_t incarnation = 0;

	memcpy(conf.home, ha->members.home, sizeof(conf.home));
	/* all that counts is that it is another one after each start */
	if (getrandom(&incarnation, sizeof(incarnation), 0) != sizeof(incarnation))
		incarnation = loop_wall_ms();
	policy_init(&ha->policy, &conf, incarnation, loop_monotonic_ms());
}

struct ha *ha_start(struct agent *agent, struct err *err)
{
	struct ha *ha = calloc(1, sizeof(*ha));

	if (!ha) {
		err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		return NULL;
	}
	ha->agent = agent;
	ha->tick = ha->beat = ha->key = ha->leaving = -1;
	ha->last_ms = ha->shown_ms = -1;
	if (members_resolve(&ha->members, &agent->conf.ha, err))
		goto fail;
	start_policy(ha);
	read_resting(ha);
	if (open_channel(ha, err) || start_calls(ha, err))
		goto fail;
	start_duty(ha);
	ha->ping = ping_open(agent->loop, &ha->members, ha_on_answer, ha, err);
	if (ha->ping)
		ha->replication = replication_start(agent->loop, ha->channel, &agent->source,
						    &ha->members, ha->peer, err);
	if (ha->replication)
		ha->control = control_open(agent->loop, agent->conf.pin_dir, ha_command, ha, err);
	if (ha->control && !start_timers(ha, err))
		return ha;
fail:
	ha_stop(ha);
	return NULL;
}

void ha_stop(struct ha *ha)
{
	if (!ha)
		return;
	loop_timer_free(ha->agent->loop, ha->tick);
	loop_timer_free(ha->agent->loop, ha->beat);
	loop_timer_free(ha->agent->loop, ha->key);
	loop_timer_free(ha->agent->loop, ha->leaving);
	control_close(ha->control);
	replication_stop(ha->replication);
	ping_close(ha->ping);
	weights_free(ha->weights);
	moves_free(ha->moves);
	leases_free(ha->leases);
	awsclient_free(ha->client);
	if (ha->channel)
		channel_close(ha->channel);
	free(ha);
}
