/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ha_state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "agent.h"
#include "aws/ec2.h"
#include "awsclient.h"
#include "depart.h"
#include "heartbeat.h"
#include "log.h"
#include "ping.h"
#include "replication.h"
#include "sampling.h"

enum { ASK_MS = 3000 };

const char *ha_node_name(const struct ha *ha, unsigned int node)
{
	return node < ha->members.nodes ? ha->members.conf->nodes.item[node].id :
	       node == POLICY_STRANGER	? "a stranger" :
					  "nobody";
}

/* Which addresses give ports to new flows here: those that are known to be here. */
static void set_standby(struct ha *ha)
{
	struct source *source = &ha->agent->source;
	uint64_t pools = 0;
	int index, ret;

	for (unsigned int i = 0; i < ha->members.conf->addresses.count; i++) {
		index = pool_find(&source->pool, ha->members.private[i][ha->members.self]);
		if (index >= 0 && ha->resting >> i & 1)
			pools |= 1ull << index;
	}
	ret = source_set_standby(source, pools);
	if (ret)
		log_error("failover step=standby result=%s: the data plane does not know which "
			  "addresses are here",
			  strerror(-ret));
}

static void rest(struct ha *ha, unsigned int zone)
{
	for (unsigned int i = 0; i < ha->members.conf->addresses.count; i++) {
		if (ha->members.zone_of_address[i] == zone)
			ha->resting |= 1ull << i;
	}
	set_standby(ha);
}

void ha_on_placed(void *ctx, unsigned int address)
{
	struct ha *ha = ctx;

	if (!policy_owns(&ha->policy, ha->members.zone_of_address[address]))
		return;
	ha->resting &= ~(1ull << address);
	set_standby(ha);
}

/*
 * Whose flows we tell to the others: from when all of a zone is here until the next
 * owner has all of it. So what the old owner opens while routes move is not lost.
 */
static void tell_owned(struct ha *ha)
{
	uint64_t owned = 0;

	for (unsigned int i = 0; i < ha->members.conf->addresses.count; i++) {
		unsigned int zone = ha->members.zone_of_address[i];
		const struct policy_zone *z = &ha->policy.zone[zone];
		bool ours = policy_owns(&ha->policy, zone) &&
			    ha->owned_epoch[zone] == z->lease.epoch;
		bool still = z->state == POLICY_STANDBY && z->rest_due >= 0 &&
			     ha->owned_epoch[zone];

		owned |= (uint64_t)(ours || still) << i;
	}
	replication_set_owned(ha->replication, owned);
}

void ha_let_go(struct ha *ha)
{
	replication_add_totals(ha->replication, &ha->replicated);
	replication_stop(ha->replication);
	ha->replication = NULL;
}

int ha_follow(struct ha *ha, struct err *err)
{
	/* what was numbered for the replication before would only confuse this one */
	for (unsigned int i = 0; i < ha->members.nodes; i++) {
		if (channel_restart(ha->channel, ha->peer[i]))
			return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	}
	ha->replication = replication_start(ha->agent->loop, ha->channel, &ha->agent->source,
					    &ha->members, ha->peer, err);
	if (!ha->replication)
		return -EIO;
	set_standby(ha);
	tell_owned(ha);
	return 0;
}

static void note_change(struct ha *ha, unsigned int zone, enum policy_state before)
{
	const struct policy_zone *z = &ha->policy.zone[zone];
	int64_t now = loop_monotonic_ms();

	log_note("failover zone=%s epoch=%" PRIu64 " step=state from=%s to=%s owner=%s reason=%s",
		 ha->members.zone[zone], z->lease.epoch, policy_state_names[before],
		 policy_state_names[z->state], ha_node_name(ha, z->lease.owner),
		 policy_reason_names[z->lease.reason]);
	if (z->state != POLICY_OWNER || ha->owned_epoch[zone] == z->lease.epoch)
		return;
	if (before == POLICY_MOVING && z->began && z->began > ha->policy.started &&
	    z->lease.reason != POLICY_FIRST) {
		ha->last_ms = now - z->began;
		ha->shown_ms = ha->last_ms;
		if (z->lease.reason == POLICY_FAILOVER)
			ha->failovers++;
		else
			ha->handovers++;
		log_note("failover zone=%s epoch=%" PRIu64 " step=done reason=%s ms=%" PRId64,
			 ha->members.zone[zone], z->lease.epoch,
			 policy_reason_names[z->lease.reason], ha->last_ms);
	}
	ha->owned_epoch[zone] = z->lease.epoch;
}

/* The instance of a node, as EC2 shows it; NULL: none has its interface. */
static const struct aws_instance *find_instance(const struct aws_instances *all,
						const struct ha_node *node)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct aws_instance *instance = &all->items[i];

		if (*node->instance && !strcmp(instance->id, node->instance))
			return instance;
		for (size_t j = 0; !*node->instance && j < instance->interface_count; j++) {
			if (!strcmp(instance->interfaces[j].id, node->interface))
				return instance;
		}
	}
	return NULL;
}

static void described(void *ctx, const struct aws_result *result)
{
	const struct aws_instances *all = result->output;
	struct ha_asking *asking = ctx;
	struct ha *ha = asking->ha;
	struct policy_event event = { .kind = POLICY_GONE, .node = asking->node };
	const struct aws_instance *instance;
	const char *state;

	if (result->fault != AWS_OK) {
		log_note("failover node=%s step=DescribeInstances result=%s ms=%lld: %s",
			 ha_node_name(ha, asking->node), aws_fault_name(result->fault),
			 (long long)result->duration_ms, result->message);
		return;
	}
	instance = find_instance(all, &ha->members.conf->nodes.item[asking->node]);
	if (!instance && *all->next_token) /* nothing on this page is not nothing */
		return;
	state = instance ? instance->state : "none";
	if (!strcmp(state, "running") || !strcmp(state, "pending"))
		return;
	log_note("failover node=%s step=DescribeInstances result=%s ms=%lld",
		 ha_node_name(ha, asking->node), state, (long long)result->duration_ms);
	ha_post(ha, &event);
}

static void ask_instance(struct ha *ha, unsigned int node)
{
	const struct ha_node *asked = &ha->members.conf->nodes.item[node];
	const char *ids[] = { asked->instance }, *interfaces[] = { asked->interface };
	const struct aws_filter filter = { "network-interface.network-interface-id", 1,
					   interfaces };
	struct aws_query query = { .id_count = *asked->instance != '\0',
				   .ids = ids,
				   .filter_count = !*asked->instance,
				   .filters = &filter };
	struct aws_caller caller = { described, &ha->asking[node], ASK_MS, 1 };

	ha->asking[node] = (struct ha_asking){ ha, node };
	/* what cannot be asked stays unknown */
	(void)aws_ec2_describe_instances(awsclient_get(ha->client), &query, &caller);
}

static void act(struct ha *ha, const struct policy_action *a)
{
	switch (a->kind) {
	case POLICY_DO_BEAT:
		ha->beat_now = true;
		break;
	case POLICY_DO_PROBE:
		ping_send(ha->ping, a->node);
		break;
	case POLICY_DO_ASK:
		ask_instance(ha, a->node);
		break;
	case POLICY_DO_READ:
		lease_read(ha->leases, a->zone);
		break;
	case POLICY_DO_CLAIM:
		lease_claim(ha->leases, a->zone, &a->lease, a->reason);
		break;
	case POLICY_DO_WITNESS:
		lease_witness(ha->leases, a->zone, a->epoch);
		break;
	case POLICY_DO_MOVE:
		move_begin(ha->moves, a->zone, a->epoch,
			   ha->policy.zone[a->zone].failures ? MOVE_CHECKED : MOVE_CLAIMED);
		weights_set(ha->weights, a->zone, a->epoch);
		break;
	case POLICY_DO_AUDIT:
		move_begin(ha->moves, a->zone, a->epoch, MOVE_AUDIT);
		weights_set(ha->weights, a->zone, a->epoch);
		break;
	case POLICY_DO_STOP:
		move_stop(ha->moves, a->zone);
		weights_stop(ha->weights, a->zone);
		break;
	case POLICY_DO_REST:
		rest(ha, a->zone);
		break;
	}
}

static void send_beats(struct ha *ha)
{
	uint8_t bytes[HEARTBEAT_MAX];
	struct policy_beat beat;
	size_t len;

	ha->beat_now = false;
	policy_beat(&ha->policy, &beat);
	len = heartbeat_write(&ha->members, &beat, bytes);
	for (unsigned int i = 0; i < ha->members.nodes; i++) {
		/* one that is lost is one that is missed */
		if (i != ha->members.self)
			channel_send(ha->channel, ha->peer[i], CHANNEL_HEARTBEAT, bytes, len);
	}
}

static void step(struct ha *ha, const struct policy_event *event)
{
	enum policy_state before[POLICY_ZONES];
	struct policy_actions actions;

	for (unsigned int i = 0; i < ha->members.zones; i++)
		before[i] = ha->policy.zone[i].state;
	if (event->kind == POLICY_MOVE_FAILED)
		ha->failed++;
	policy_step(&ha->policy, event, loop_monotonic_ms(), &actions);
	for (unsigned int i = 0; i < ha->members.zones; i++) {
		if (ha->policy.zone[i].state != before[i])
			note_change(ha, i, before[i]);
	}
	for (unsigned int i = 0; i < actions.count; i++)
		act(ha, &actions.item[i]);
}

void ha_post(struct ha *ha, const struct policy_event *event)
{
	struct policy_event next;

	if (ha->stepping) {
		if (ha->queued < HA_QUEUE)
			ha->queue[ha->queued++] = *event;
		return;
	}
	ha->stepping = true;
	step(ha, event);
	while (ha->queued) {
		next = ha->queue[0];
		memmove(ha->queue, ha->queue + 1, --ha->queued * sizeof(next));
		step(ha, &next);
	}
	ha->stepping = false;
	tell_owned(ha);
	if (ha->beat_now)
		send_beats(ha);
}

void ha_on_event(void *ctx, const struct policy_event *event)
{
	ha_post(ctx, event);
}

void ha_on_weights_failed(void *ctx)
{
	struct ha *ha = ctx;

	ha->failed++;
}

void ha_on_answer(void *ctx, unsigned int node)
{
	struct policy_event event = { .kind = POLICY_ANSWERED, .node = node };

	ha_post(ctx, &event);
}

void ha_on_heartbeat(void *ctx, int peer, const void *data, size_t len)
{
	struct ha *ha = ctx;
	struct policy_beat beat;
	struct policy_event event = { .kind = POLICY_HEARTBEAT, .beat = &beat };
	int ret = heartbeat_read(&ha->members, data, len, &beat);

	event.node = ha->node[peer];
	if (ret && !ha->stranger_said[event.node])
		log_error("%s: heartbeats of %s, which cannot be used",
			  ha_node_name(ha, event.node),
			  ret == -ESTALE ? "another fleet: ha_nodes and ha_addresses differ" :
			  ret == -EPROTONOSUPPORT ? "another version of natxdpd" :
						    "no known form");
	ha->stranger_said[event.node] = ret;
	if (ret)
		return;
	ha->heard[event.node]++;
	ha_post(ha, &event);
}

void ha_on_tick(void *ctx)
{
	struct ha *ha = ctx;
	struct policy_event facts = { .kind = POLICY_FACTS },
			    draining = { .kind = POLICY_DRAINING };

	sampling_look_at_links(ha->agent);
	facts.facts.healthy = !health_fault(&ha->agent->health);
	for (unsigned int i = 0; i < ha->members.nodes; i++)
		facts.facts.synced |= (uint32_t)replication_is_synced(ha->replication, i) << i;
	ha_post(ha, &facts);
	draining.on = ha->agent->health.draining;
	ha_post(ha, &draining);
	depart_look(ha);
}

void ha_on_beat(void *ctx)
{
	struct ha *ha = ctx;

	send_beats(ha);
	for (unsigned int i = 0; i < ha->members.nodes; i++) {
		if (i != ha->members.self && ha->policy.peer[i].ever &&
		    loop_monotonic_ms() - ha->policy.peer[i].heard >
			    2 * (int64_t)ha->members.conf->heartbeat)
			ha->missed++;
	}
}
