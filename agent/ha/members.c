/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "members.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "conf.h"
#include "err.h"

uint8_t members_node(const struct members *m, const char *id)
{
	for (unsigned int i = 0; i < m->nodes; i++) {
		if (!strcmp(m->conf->nodes.item[i].id, id))
			return i;
	}
	return POLICY_NOBODY;
}

uint8_t members_zone(const struct members *m, const char *name)
{
	for (unsigned int i = 0; i < m->zones; i++) {
		if (!strcmp(m->zone[i], name))
			return i;
	}
	return POLICY_NOBODY;
}

static int check_node(const struct members *m, unsigned int i, struct err *err)
{
	const struct ha_node *node = &m->conf->nodes.item[i];

	for (unsigned int j = 0; j < i; j++) {
		const struct ha_node *other = &m->conf->nodes.item[j];

		if (!strcmp(node->id, other->id) || !strcmp(node->address, other->address) ||
		    !strcmp(node->interface, other->interface))
			return err_set(err, STATUS_CONFIG, EINVAL,
				       "ha_nodes: %s and %s have the same name, address or "
				       "interface",
				       other->id, node->id);
	}
	return 0;
}

static int add_zone(struct members *m, unsigned int node)
{
	const char *name = m->conf->nodes.item[node].zone;

	if (members_zone(m, name) != POLICY_NOBODY)
		return 0;
	m->home[m->zones] = node;
	m->zone[m->zones++] = name;
	return 0;
}

static int resolve_nodes(struct members *m, struct err *err)
{
	const struct ha_conf *conf = m->conf;
	int ret = 0;

	m->nodes = conf->nodes.count;
	for (unsigned int i = 0; !ret && i < m->nodes; i++) {
		ret = check_node(m, i, err);
		if (!ret)
			ret = add_zone(m, i);
	}
	if (ret)
		return ret;
	m->self = members_node(m, conf->node);
	if (m->self == POLICY_NOBODY)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "ha_node = %s: ha_nodes has no node of that name", conf->node);
	if (m->nodes < 2)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "ha_nodes: one node has nobody to fail over to: name its peers, or "
			       "take ha_node out");
	return 0;
}

static int no_zone(const char *key, const char *what, const char *zone, struct err *err)
{
	return err_set(err, STATUS_CONFIG, EINVAL,
		       "%s: %s is of zone %s, in which there is no node", key, what, zone);
}

static int resolve_routes(struct members *m, struct err *err)
{
	const struct ha_routes *routes = &m->conf->routes;

	for (unsigned int i = 0; i < routes->count; i++) {
		const struct ha_route *route = &routes->item[i];

		m->zone_of_route[i] = members_zone(m, route->zone);
		if (m->zone_of_route[i] == POLICY_NOBODY)
			return no_zone("ha_routes", route->table, route->zone, err);
		for (unsigned int j = 0; j < i; j++) {
			if (!strcmp(routes->item[j].table, route->table) &&
			    !strcmp(routes->item[j].cidr, route->cidr))
				return err_set(err, STATUS_CONFIG, EINVAL,
					       "ha_routes: %s %s: named twice", route->table,
					       route->cidr);
		}
	}
	return 0;
}

static int resolve_address(struct members *m, unsigned int i, struct err *err)
{
	const struct ha_address *address = &m->conf->addresses.item[i];

	m->zone_of_address[i] = members_zone(m, address->zone);
	if (m->zone_of_address[i] == POLICY_NOBODY)
		return no_zone("ha_addresses", address->allocation, address->zone, err);
	for (unsigned int j = 0; j < address->count; j++) {
		uint8_t node = members_node(m, address->on[j].node);

		if (node == POLICY_NOBODY)
			return err_set(err, STATUS_CONFIG, EINVAL,
				       "ha_addresses: %s: ha_nodes has no node %s",
				       address->allocation, address->on[j].node);
		for (unsigned int k = 0; k < i; k++) {
			if (m->private[k][node] == address->on[j].addr)
				return err_set(err, STATUS_CONFIG, EINVAL,
					       "ha_addresses: %s and %s have the same private "
					       "address on %s",
					       m->conf->addresses.item[k].allocation,
					       address->allocation, address->on[j].node);
		}
		m->private[i][node] = address->on[j].addr;
	}
	for (unsigned int node = 0; node < m->nodes; node++) {
		if (!m->private[i][node])
			return err_set(err, STATUS_CONFIG, EINVAL,
				       "ha_addresses: %s: say which private address it has on %s: "
				       "%s=ADDRESS",
				       address->allocation, m->conf->nodes.item[node].id,
				       m->conf->nodes.item[node].id);
	}
	return 0;
}

static int resolve_groups(struct members *m, struct err *err)
{
	const struct ha_groups *groups = &m->conf->groups;

	if (!groups->count != !*m->conf->listener)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "ha_listener and ha_target_groups: give both or neither: the listener, "
			       "and the target groups that it weighs");
	if (groups->count && m->conf->mode != HA_MODE_ENI)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "ha_listener: only with ha_mode = eni does a load balancer weigh "
			       "the zones: take it out");
	for (unsigned int i = 0; i < groups->count; i++) {
		const struct ha_group *group = &groups->item[i];
		uint8_t zone = members_zone(m, group->zone);

		if (zone == POLICY_NOBODY)
			return no_zone("ha_target_groups", group->arn, group->zone, err);
		for (unsigned int j = 0; j < i; j++) {
			if (!strcmp(groups->item[j].zone, group->zone) ||
			    !strcmp(groups->item[j].arn, group->arn))
				return err_set(err, STATUS_CONFIG, EINVAL,
					       "ha_target_groups: %s %s: named twice", group->zone,
					       group->arn);
		}
		m->group_of_zone[zone] = group->arn;
	}
	return 0;
}

static int check_mode(const struct ha_conf *conf, struct err *err)
{
	if (conf->mode == HA_MODE_GWLB && conf->routes.count)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "ha_routes: with ha_mode = gwlb routes lead to the load balancer's "
			       "endpoints and do not move: take them out");
	if (conf->mode != HA_MODE_GWLB && !conf->routes.count)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "ha_routes: none: nothing would lead to the node that takes over");
	if (!*conf->lease_table)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "ha_lease_table: none: give the DynamoDB table that says who owns "
			       "which zone");
	if (!*conf->key_file == !*conf->key_parameter)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "give either ha_key_file or ha_key_parameter: the secret that the "
			       "nodes share ('openssl rand -hex 32' makes one)");
	if (*conf->lifecycle_hook && !*conf->group)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "ha_lifecycle_hook: also give ha_group, the Auto Scaling group");
	if (conf->suspicion < 2 || conf->suspicion > 1000)
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "ha_suspicion = %u: give 2 to 1000 heartbeats", conf->suspicion);
	if (conf->heartbeat > 60000)
		return err_set(err, STATUS_CONFIG, EINVAL, "ha_heartbeat: more than a minute");
	return 0;
}

int members_resolve(struct members *m, const struct ha_conf *conf, struct err *err)
{
	int ret;

	memset(m, 0, sizeof(*m));
	m->conf = conf;
	ret = resolve_nodes(m, err);
	if (!ret)
		ret = check_mode(conf, err);
	if (!ret)
		ret = resolve_routes(m, err);
	if (!ret)
		ret = resolve_groups(m, err);
	for (unsigned int i = 0; !ret && i < conf->addresses.count; i++)
		ret = resolve_address(m, i, err);
	return ret;
}

static uint64_t mix(uint64_t hash, const char *text) /* FNV-1a */
{
	do
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3ull;
	while (*text++);
	return hash;
}

uint64_t members_fingerprint(const struct members *m)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (unsigned int i = 0; i < m->nodes; i++)
		hash = mix(mix(hash, m->conf->nodes.item[i].id), m->conf->nodes.item[i].zone);
	for (unsigned int i = 0; i < m->conf->addresses.count; i++)
		hash = mix(hash, m->conf->addresses.item[i].allocation);
	return hash;
}
