/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What people ask of a node, and what they are shown. */
#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "ha_state.h"
#include "json.h"
#include "log.h"
#include "replication.h"

static void add_name(cJSON *object, const char *key, const struct ha *ha, unsigned int node)
{
	if (node < ha->members.nodes || node == POLICY_STRANGER)
		cJSON_AddStringToObject(object, key, ha_node_name(ha, node));
	else
		cJSON_AddNullToObject(object, key);
}

static void add_zone(cJSON *list, const struct ha *ha, unsigned int i)
{
	const struct policy_zone *z = &ha->policy.zone[i];
	cJSON *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, "zone", ha->members.zone[i]);
	add_name(object, "home", ha, ha->members.home[i]);
	add_name(object, "owner", ha, z->lease.owner);
	json_add_count(object, "epoch", z->lease.epoch);
	cJSON_AddStringToObject(object, "state", policy_state_names[z->state]);
	cJSON_AddNumberToObject(object, "state_ms", ha->policy.now - z->since);
	cJSON_AddStringToObject(object, "reason", policy_reason_names[z->lease.reason]);
	cJSON_AddBoolToObject(object, "hold", z->lease.held);
	add_name(object, "offered_to", ha, policy_owns(&ha->policy, i) ? z->offer : POLICY_NOBODY);
	cJSON_AddNumberToObject(object, "failures", z->failures);
	cJSON_AddItemToArray(list, object);
}

static void add_node(cJSON *list, const struct ha *ha, unsigned int i)
{
	const struct policy_peer *peer = &ha->policy.peer[i];
	bool self = i == ha->members.self;
	cJSON *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, "node", ha_node_name(ha, i));
	cJSON_AddStringToObject(object, "zone", ha->members.conf->nodes.item[i].zone);
	cJSON_AddBoolToObject(object, "self", self);
	cJSON_AddBoolToObject(object, "alive", policy_hears(&ha->policy, i));
	cJSON_AddBoolToObject(object, "healthy",
			      self ? ha->policy.facts.healthy : peer->beat.healthy);
	cJSON_AddBoolToObject(object, "draining", self ? ha->policy.draining : peer->beat.draining);
	if (!self) {
		if (peer->ever)
			cJSON_AddNumberToObject(object, "heard_ms", ha->policy.now - peer->heard);
		else
			cJSON_AddNullToObject(object, "heard_ms");
		cJSON_AddBoolToObject(object, "synced", ha->policy.facts.synced >> i & 1);
		json_add_count(object, "heartbeats", ha->heard[i]);
	}
	cJSON_AddItemToArray(list, object);
}

void ha_status(const struct ha *ha, cJSON *object)
{
	struct replication_lag lag;
	cJSON *list;

	cJSON_AddStringToObject(object, "node", ha_node_name(ha, ha->members.self));
	cJSON_AddBoolToObject(object, "draining", ha->policy.draining);
	cJSON_AddBoolToObject(object, "drained", ha->drained);
	list = cJSON_AddArrayToObject(object, "zones");
	for (unsigned int i = 0; i < ha->members.zones; i++)
		add_zone(list, ha, i);
	list = cJSON_AddArrayToObject(object, "nodes");
	for (unsigned int i = 0; i < ha->members.nodes; i++)
		add_node(list, ha, i);
	replication_lag(ha->replication, &lag);
	json_add_count(object, "synced_peers", lag.peers);
	json_add_count(object, "sync_lag_flows", lag.flows);
	cJSON_AddNumberToObject(object, "sync_lag_ms", lag.ms);
	json_add_count(object, "failovers", ha->failovers);
	json_add_count(object, "handovers", ha->handovers);
	json_add_count(object, "failed_moves", ha->failed);
	if (ha->shown_ms >= 0)
		cJSON_AddNumberToObject(object, "last_move_ms", ha->shown_ms);
	else
		cJSON_AddNullToObject(object, "last_move_ms");
}

static cJSON *refuse(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static cJSON *refuse(const char *fmt, ...)
{
	cJSON *object = cJSON_CreateObject();
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	cJSON_AddStringToObject(object, "error", text);
	return object;
}

static cJSON *accepted(const struct ha *ha)
{
	cJSON *object = cJSON_CreateObject();

	cJSON_AddBoolToObject(object, "ok", true);
	ha_status(ha, cJSON_AddObjectToObject(object, "status"));
	return object;
}

static const char *text_of(const cJSON *request, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(request, name));

	return text ? text : "";
}

static bool flag_of(const cJSON *request, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(request, name));
}

/* Why a zone cannot go to a node now; NULL if it can. */
static cJSON *hindrance(const struct ha *ha, unsigned int zone, unsigned int node, bool force)
{
	const struct policy *p = &ha->policy;
	const struct policy_zone *z = &p->zone[zone];
	const char *name = ha_node_name(ha, node);

	if (!policy_hears(p, node))
		return refuse("%s is not heard: it can take nothing now", name);
	if (force)
		return NULL;
	if (!policy_is_fit(p, node))
		return refuse("%s is draining or its data path is broken: --force moves the zone "
			      "all the same",
			      name);
	if (policy_owns(p, zone) && !(p->facts.synced >> node & 1))
		return refuse("%s has not all flows of %s yet: wait, or --force and lose connections",
			      name, ha->members.zone[zone]);
	if (z->state == POLICY_CLAIMING || (policy_owns(p, zone) && z->state != POLICY_OWNER))
		return refuse("%s is being moved just now: wait until that is done",
			      ha->members.zone[zone]);
	return NULL;
}

static cJSON *move_to(struct ha *ha, const cJSON *request, unsigned int first, unsigned int last)
{
	uint8_t node = members_node(&ha->members, text_of(request, "node"));
	struct policy_event event = { .kind = POLICY_TO,
				      .node = node,
				      .on = flag_of(request, "force") };
	cJSON *no;

	if (node == POLICY_NOBODY)
		return refuse("%.60s: there is no node of that name", text_of(request, "node"));
	for (unsigned int i = first; i <= last; i++) {
		no = ha->policy.zone[i].lease.owner == node ? NULL :
							      hindrance(ha, i, node, event.on);
		if (no)
			return no;
	}
	for (unsigned int i = first; i <= last; i++) {
		event.zone = i;
		if (ha->policy.zone[i].lease.owner != node)
			ha_post(ha, &event);
	}
	return accepted(ha);
}

static cJSON *hold(struct ha *ha, bool on, unsigned int first, unsigned int last)
{
	for (unsigned int i = first; i <= last; i++) {
		if (!ha->policy.zone[i].lease.there)
			return refuse("the lease of %s is not there, or was not read yet",
				      ha->members.zone[i]);
	}
	for (unsigned int i = first; i <= last; i++)
		lease_hold(ha->leases, i, on);
	return accepted(ha);
}

cJSON *ha_command(void *ctx, const cJSON *request)
{
	struct ha *ha = ctx;
	const char *command = text_of(request, "command"), *zone = text_of(request, "zone");
	unsigned int first = 0, last = ha->members.zones - 1;

	if (*zone) {
		first = last = members_zone(&ha->members, zone);
		if (first == POLICY_NOBODY)
			return refuse("%.60s: there is no zone of that name", zone);
	}
	if (strcmp(command, "status"))
		log_note("failover step=command command=%.20s node=%.60s zone=%.60s", command,
			 text_of(request, "node"), zone);
	if (!strcmp(command, "status"))
		return accepted(ha);
	if (!strcmp(command, "to"))
		return move_to(ha, request, first, last);
	if (!strcmp(command, "hold") || !strcmp(command, "release"))
		return hold(ha, *command == 'h', first, last);
	if (!strcmp(command, "drain") || !strcmp(command, "undrain")) {
		ha_drain(ha, *command == 'd');
		return accepted(ha);
	}
	return refuse("no such command");
}

void ha_totals(const struct ha *ha, struct totals *totals)
{
	struct replication_totals replicated = ha->replicated;

	totals->sum[METRIC_FAILOVERS] = ha->failovers;
	totals->sum[METRIC_HANDOVERS] = ha->handovers;
	totals->sum[METRIC_FAILOVER_ERRORS] = ha->failed;
	totals->sum[METRIC_HEARTBEATS_MISSED] = ha->missed;
	if (ha->replication)
		replication_add_totals(ha->replication, &replicated);
	totals->sum[METRIC_SYNC_FLOWS_SENT] = replicated.flows_sent;
	totals->sum[METRIC_SYNC_FLOWS_RECEIVED] = replicated.flows_received;
	totals->sum[METRIC_SYNC_BYTES_SENT] = replicated.bytes_sent;
}

static void set(struct gauges *gauges, enum metric metric, double value)
{
	gauges->value[metric] = value;
	gauges->known[metric] = true;
}

void ha_gauges(struct ha *ha, struct gauges *gauges)
{
	struct replication_lag lag;
	unsigned int owned = 0;

	for (unsigned int i = 0; i < ha->members.zones; i++)
		owned += policy_owns(&ha->policy, i);
	replication_lag(ha->replication, &lag);
	set(gauges, METRIC_OWNED_ZONES, owned);
	set(gauges, METRIC_SYNC_LAG_FLOWS, lag.flows);
	set(gauges, METRIC_SYNC_LAG, lag.ms);
	set(gauges, METRIC_SYNC_PEERS, lag.peers);
	if (ha->last_ms >= 0)
		set(gauges, METRIC_FAILOVER_DURATION, ha->last_ms);
	ha->last_ms = -1;
}
