/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "err.h"
#include "flowlist.h"
#include "json.h"
#include "log.h"
#include "nat.h"
#include "options.h"
#include "pins.h"
#include "pooluse.h"
#include "privilege.h"
#include "rundir.h"
#include "upgrade.h"

struct arguments {
	struct options options;
	const char *what; /* NULL: show */
	struct natxdp_prefix addr;
};

static const char doc[] =
	"Show the external addresses: ports, flows, and how full the fullest destination is. A port "
	"serves many destinations, so an address is full for a destination, never as such.\n"
	"\n"
	"drain: the address gets no new flows, and those that it has live on. undrain: it gets new "
	"ones again. A 'natxdp load' decides anew: what it names takes flows, what it does not name "
	"drains.\v"
	"Examples:\n"
	"  natxdp pools\n"
	"  natxdp pools drain 192.0.2.7\n"
	"  natxdp pools --json | jq '.[] | select(.fullest.percent > 80)'";

static error_t parse_argument(char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct reason why;

	if (state->arg_num == 0) {
		if (strcmp(arg, "drain") && strcmp(arg, "undrain"))
			argp_error(state, "%s: give drain or undrain, or nothing to show all", arg);
		arguments->what = arg;
		return 0;
	}
	if (state->arg_num > 1)
		argp_error(state, "%s: one address at a time", arg);
	if (parse_prefix(arg, &arguments->addr, &why))
		argp_error(state, "%s", why.text);
	if (arguments->addr.bits != 32)
		argp_error(state, "%s: give one address", arg);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->options;
		return 0;
	case ARGP_KEY_ARG:
		return parse_argument(arg, state);
	case ARGP_KEY_END:
		if (arguments->what && state->arg_num < 2)
			argp_error(state, "which address? 'natxdp pools' lists them");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static uint64_t all_flows(const struct pool_use *use)
{
	uint64_t sum = 0;

	for (int i = 0; i < POOL_PROTOS; i++)
		sum += use->flows[i];
	return sum;
}

static const char *state_name(const struct natxdp_pool *pool)
{
	if (pool->flags & NATXDP_POOL_DRAINING)
		return "draining";
	return pool->flags & NATXDP_POOL_STANDBY ? "standby" : "active";
}

static cJSON *pool_object(unsigned int index, const struct natxdp_pool *pool,
			  const struct pool_use *use)
{
	cJSON *object = cJSON_CreateObject(), *part;
	char text[INET_ADDRSTRLEN], proto[PROTO_TEXT];

	inet_ntop(AF_INET, &pool->addr, text, sizeof(text));
	json_add_count(object, "index", index);
	cJSON_AddStringToObject(object, "address", text);
	json_add_count(object, "port_min", pool->port_min);
	json_add_count(object, "port_max", pool->port_max);
	json_add_count(object, "ports_usable", use->ports);
	cJSON_AddStringToObject(object, "state", state_name(pool));
	part = cJSON_AddObjectToObject(object, "flows");
	json_add_count(part, "all", all_flows(use));
	for (int i = 0; i < POOL_PROTOS; i++)
		json_add_count(part, pool_proto_names[i], use->flows[i]);
	if (!use->fullest_ports) {
		cJSON_AddNullToObject(object, "fullest");
		return object;
	}
	part = cJSON_AddObjectToObject(object, "fullest");
	flow_proto_text(use->fullest_proto, proto);
	cJSON_AddStringToObject(part, "proto", proto);
	inet_ntop(AF_INET, &use->fullest_addr, text, sizeof(text));
	cJSON_AddStringToObject(part, "address", text);
	json_add_count(part, "port", ntohs(use->fullest_port));
	json_add_count(part, "ports_used", use->fullest_ports);
	cJSON_AddNumberToObject(part, "percent", pool_use_percent(use));
	return object;
}

static void print_line(unsigned int index, const struct natxdp_pool *pool,
		       const struct pool_use *use)
{
	char addr[INET_ADDRSTRLEN], ports[16], proto[PROTO_TEXT];

	inet_ntop(AF_INET, &pool->addr, addr, sizeof(addr));
	snprintf(ports, sizeof(ports), "%u-%u", pool->port_min, pool->port_max);
	printf("%5u %-15s %-11s %-8s %9" PRIu64, index, addr, ports, state_name(pool),
	       all_flows(use));
	for (int i = 0; i < POOL_PROTOS; i++)
		printf(" %9" PRIu64, use->flows[i]);
	printf(" %6.1f%%", pool_use_percent(use));
	if (use->fullest_ports) {
		flow_proto_text(use->fullest_proto, proto);
		inet_ntop(AF_INET, &use->fullest_addr, addr, sizeof(addr));
		if (use->fullest_addr)
			printf("  %s %s:%u", proto, addr, ntohs(use->fullest_port));
		else
			printf("  %s, all destinations", proto);
	}
	putchar('\n');
}

static int print_pools(const struct pool *pool, const struct pool_use *use, bool json)
{
	cJSON *list = json ? cJSON_CreateArray() : NULL;

	if (!json)
		printf("%5s %-15s %-11s %-8s %9s %9s %9s %9s %9s %7s  %s\n", "INDEX", "ADDRESS",
		       "PORTS", "STATE", "FLOWS", "UDP", "TCP", "ICMP", "OTHER", "FULLEST",
		       "DESTINATION");
	for (unsigned int i = 0; i < pool->count; i++) {
		if (!pool->item[i].addr)
			continue;
		if (json)
			cJSON_AddItemToArray(list, pool_object(i, &pool->item[i], &use[i]));
		else
			print_line(i, &pool->item[i], &use[i]);
	}
	return json ? json_print(list) : 0;
}

static int show(const struct nat *nat, const struct pool *pool, bool json)
{
	struct pool_use use[NATXDP_POOL_MAX];
	struct natxdp_host_ports host_ports;
	struct table table;
	__u32 zero = 0;
	int ret;

	if (bpf_map_lookup_elem(nat->map[NAT_MAP_host_ports], &zero, &host_ports))
		return -errno;
	ret = table_open(&table, nat, TABLE_READ);
	if (ret)
		return ret;
	ret = pool_use_count(use, pool, &host_ports, &table);
	table_close(&table);
	return ret ? ret : print_pools(pool, use, json);
}

static int change(const struct nat *nat, struct pool *pool, const struct arguments *arguments,
		  struct err *err)
{
	bool drain = !strcmp(arguments->what, "drain"), any = false;
	int found = pool_find(pool, arguments->addr.addr);
	char text[INET_ADDRSTRLEN];
	struct natxdp_pool *item;
	__u32 index = found;

	inet_ntop(AF_INET, &arguments->addr.addr, text, sizeof(text));
	if (found < 0)
		return err_set(err, STATUS_STATE, ENOENT,
			       "%s: no external address of this NAT: 'natxdp pools' lists them",
			       text);
	item = &pool->item[found];
	if (drain)
		item->flags |= NATXDP_POOL_DRAINING;
	else
		item->flags &= ~NATXDP_POOL_DRAINING;
	if (bpf_map_update_elem(nat->map[NAT_MAP_ext_pool], &index, item, BPF_EXIST))
		return err_set(err, STATUS_KERNEL, errno, "map ext_pool: cannot write: %s",
			       strerror(errno));
	for (unsigned int i = 0; i < pool->count; i++)
		any |= !(pool->item[i].flags & NATXDP_POOL_DRAINING);
	if (!any)
		log_note("every external address drains: there are no new flows");
	if (!arguments->options.json)
		printf("%s: %s\n", text, state_name(item));
	return 0;
}

static int run(const char *pin_dir, const struct arguments *arguments, struct err *err)
{
	struct pool pool;
	struct nat nat;
	int ret;

	ret = nat_open(&nat, pin_dir, err);
	if (ret)
		return ret;
	ret = nat_read_pool(&nat, &pool);
	if (ret)
		ret = err_set(err, STATUS_KERNEL, ret, "map ext_pool: cannot read: %s",
			      strerror(-ret));
	else if (arguments->what)
		ret = change(&nat, &pool, arguments, err);
	if (!ret && (!arguments->what || arguments->options.json)) {
		ret = show(&nat, &pool, arguments->options.json);
		if (ret)
			ret = err_set(err, STATUS_SYSTEM, ret, "the flows cannot be counted: %s",
				      strerror(-ret));
	}
	nat_close(&nat);
	return ret;
}

/* So that a load does not write the same table. */
static int run_locked(const char *pin_dir, const struct arguments *arguments, struct err *err)
{
	int lock = rundir_lock(pin_dir, LOCK_PATIENCE_MS, err), ret;

	if (lock < 0)
		return lock;
	ret = upgrade_settle(pin_dir, err);
	if (!ret)
		ret = run(pin_dir, arguments, err);
	rundir_unlock(lock, pin_dir, !pins_exist(pin_dir));
	return ret;
}

int cmd_pools(int argc, char **argv, struct err *err)
{
	const struct argp_child children[] = { { &options_common, 0, NULL, 0 }, { 0 } };
	const struct argp argp = {
		NULL, parse, "\ndrain ADDR\nundrain ADDR", doc, children, NULL, NULL,
	};
	struct arguments arguments = { 0 };
	char pin_dir[PIN_DIR_MAX];
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	ret = options_find_pin_dir(&arguments.options, pin_dir, err);
	if (!ret)
		ret = privilege_check(err);
	if (ret)
		return ret;
	return (arguments.what ? run_locked : run)(pin_dir, &arguments, err);
}
