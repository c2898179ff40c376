/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "status.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "behaviour.h"
#include "block.h"
#include "counters.h"
#include "err.h"
#include "hold.h"
#include "instance.h"
#include "json.h"
#include "lastload.h"
#include "nat.h"
#include "pins.h"
#include "pool.h"
#include "sysctl.h"
#include "values.h"
#include "watcher.h"

enum { TIME_TEXT = 32, WHY_TEXT = 256, STATUS_SYSCTLS = 2 };

static const char *const shown_sysctls[STATUS_SYSCTLS] = {
	"net/ipv4/ip_forward",
	"net/ipv4/ip_local_port_range",
};

struct status {
	const char *pin_dir;
	struct instance instance;
	bool generic;
	char why[WHY_TEXT]; /* auto has taken TC */
	char since[TIME_TEXT];
	struct pool pool;
	uint64_t flows;
	unsigned int blocked;
	pid_t watcher;
	struct hold_counters held; /* by the watcher */
	char sysctl[STATUS_SYSCTLS][SYSCTL_VALUE_MAX];
};

static bool is_generic(const struct instance_link *link)
{
	struct attached attached;

	return !attach_query(link->hook, link->ifindex, &attached) && attached.generic;
}

static void read_since(struct status *status)
{
	char path[PIN_PATH_MAX];
	struct tm utc;
	struct stat st;

	pins_map_path(path, status->pin_dir, nat_map_names[NAT_MAP_config]);
	if (!stat(path, &st) && gmtime_r(&st.st_mtim.tv_sec, &utc))
		strftime(status->since, sizeof(status->since), "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static int read_maps(struct status *status, struct err *err)
{
	struct natxdp_counters sum;
	struct nat nat;
	int ret;

	ret = nat_open(&nat, status->pin_dir, err);
	if (ret)
		return ret;
	ret = counters_read(&nat, &sum);
	status->flows = counters_flows(&sum);
	if (!ret)
		ret = nat_read_pool(&nat, &status->pool);
	if (!ret)
		ret = block_count(&nat, &status->blocked);
	nat_close(&nat);
	return ret ? err_set(err, STATUS_KERNEL, ret, "the maps cannot be read: %s",
			     strerror(-ret)) :
		     0;
}

static const char *mode(const struct status *status)
{
	return status->instance.config.two_armed ? "two-armed" : "one-armed";
}

static bool behind_gwlb(const struct status *status)
{
	return status->instance.config.features & NATXDP_TUNNELS;
}

static const char *place(const struct status *status)
{
	if (status->instance.link[0].hook == HOOK_TC)
		return "at TC";
	return xdp_mode_name(status->generic ? XDP_MODE_GENERIC : XDP_MODE_NATIVE);
}

static const char *role(const struct status *status, const struct instance_link *link)
{
	if (!status->instance.config.two_armed)
		return "both";
	return link == status->instance.link ? "outside" : "inside";
}

static void add_interfaces(const struct status *status, cJSON *object)
{
	cJSON *list = cJSON_AddArrayToObject(object, "interfaces");
	char tag[TAG_TEXT];

	for (unsigned int i = 0; i < status->instance.link_count; i++) {
		const struct instance_link *link = &status->instance.link[i];
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "name", link->name);
		json_add_count(item, "ifindex", link->ifindex);
		cJSON_AddStringToObject(item, "role", role(status, link));
		json_add_count(item, "program_id", link->program);
		instance_tag(link->program, tag);
		cJSON_AddStringToObject(item, "program_tag", tag);
		cJSON_AddItemToArray(list, item);
	}
}

static void add_external(const struct status *status, cJSON *object)
{
	cJSON *list = cJSON_AddArrayToObject(object, "external");
	char addr[INET_ADDRSTRLEN];

	for (unsigned int i = 0; i < status->pool.count; i++) {
		const struct natxdp_pool *pool = &status->pool.item[i];
		cJSON *item;

		if (!pool->addr)
			continue;
		item = cJSON_CreateObject();
		inet_ntop(AF_INET, &pool->addr, addr, sizeof(addr));
		cJSON_AddStringToObject(item, "address", addr);
		json_add_count(item, "port_min", pool->port_min);
		json_add_count(item, "port_max", pool->port_max);
		cJSON_AddBoolToObject(item, "draining", pool->flags & NATXDP_POOL_DRAINING);
		cJSON_AddBoolToObject(item, "standby", pool->flags & NATXDP_POOL_STANDBY);
		cJSON_AddItemToArray(list, item);
	}
}

static void add_fragments(const struct status *status, cJSON *watcher)
{
	cJSON *object = cJSON_AddObjectToObject(watcher, "fragments");

	json_add_count(object, "held", status->held.held);
	json_add_count(object, "sent_on", status->held.sent_on);
	json_add_count(object, "returned", status->held.returned);
	json_add_count(object, "given_up", status->held.given_up);
	json_add_count(object, "refused", status->held.refused);
	json_add_count(object, "lost", status->held.lost);
}

static int print_json(const struct status *status)
{
	cJSON *object = cJSON_CreateObject(), *part;
	char name[SYSCTL_NAME_MAX];

	cJSON_AddBoolToObject(object, "loaded", true);
	cJSON_AddBoolToObject(object, "active", status->instance.config.active);
	cJSON_AddStringToObject(object, "mode", mode(status));
	cJSON_AddBoolToObject(object, "gwlb", behind_gwlb(status));
	cJSON_AddStringToObject(object, "hook", hook_key(status->instance.link[0].hook));
	cJSON_AddStringToObject(object, "hook_reason", status->why);
	if (status->instance.link[0].hook == HOOK_XDP)
		cJSON_AddStringToObject(object, "xdp_mode", place(status));
	else
		cJSON_AddNullToObject(object, "xdp_mode");
	cJSON_AddBoolToObject(object, "dispatcher", status->instance.link[0].dispatched);
	cJSON_AddStringToObject(object, "pin_dir", status->pin_dir);
	cJSON_AddStringToObject(object, "since", status->since);
	add_interfaces(status, object);
	add_external(status, object);
	part = cJSON_AddObjectToObject(object, "flows");
	json_add_count(part, "now", status->flows);
	json_add_count(part, "max", status->instance.config.max_flows);
	cJSON_AddItemToObject(object, "behaviour", behaviour_json(&status->instance.config));
	json_add_count(object, "blocked", status->blocked);
	part = cJSON_AddObjectToObject(object, "watcher");
	cJSON_AddBoolToObject(part, "running", status->watcher != 0);
	json_add_count(part, "pid", status->watcher);
	add_fragments(status, part);
	part = cJSON_AddObjectToObject(object, "sysctls");
	for (int i = 0; i < STATUS_SYSCTLS; i++) {
		snprintf(name, sizeof(name), "%s", shown_sysctls[i]);
		for (char *c = name; *c; c++)
			*c = *c == '/' ? '.' : *c;
		cJSON_AddStringToObject(part, name, status->sysctl[i]);
	}
	return json_print(object);
}

static void print_external(const struct status *status)
{
	const char *label = "external";
	char addr[INET_ADDRSTRLEN];

	for (unsigned int i = 0; i < status->pool.count; i++) {
		const struct natxdp_pool *pool = &status->pool.item[i];

		if (!pool->addr)
			continue;
		inet_ntop(AF_INET, &pool->addr, addr, sizeof(addr));
		printf("%-10s %s ports %u-%u%s%s\n", label, addr, pool->port_min, pool->port_max,
		       pool->flags & NATXDP_POOL_DRAINING ? " (draining)" : "",
		       pool->flags & NATXDP_POOL_STANDBY ? " (standby)" : "");
		label = "";
	}
}

static void print_text(const struct status *status)
{
	const struct natxdp_config *config = &status->instance.config;
	char tag[TAG_TEXT];

	printf("%-10s %s, %s%s, %s%s\n", "state", config->active ? "active" : "inactive",
	       mode(status), behind_gwlb(status) ? " behind load balancers" : "", place(status),
	       status->instance.link[0].dispatched ? ", behind a dispatcher" : "");
	if (*status->why)
		printf("%-10s auto: %s\n", "hook", status->why);
	for (unsigned int i = 0; i < status->instance.link_count; i++) {
		const struct instance_link *link = &status->instance.link[i];

		instance_tag(link->program, tag);
		printf("%-10s %s (%s), program id %u tag %s\n", i ? "" : "interface", link->name,
		       role(status, link), link->program, tag);
	}
	printf("%-10s %s\n", "since", status->since);
	print_external(status);
	behaviour_print("behaviour", config, stdout);
	if (status->blocked)
		printf("%-10s %u inside addresses: 'natxdp block list' shows them\n", "blocked",
		       status->blocked);
	printf("%-10s %" PRIu64 " of %u (%.1f %%)\n", "flows", status->flows, config->max_flows,
	       100.0 * status->flows / config->max_flows);
	if (status->watcher)
		printf("%-10s running, process %d\n", "watcher", status->watcher);
	else
		printf("%-10s not running: %s changes go unnoticed, and fragments out of order are "
		       "dropped: run 'natxdp watch'\n",
		       "watcher",
		       config->two_armed || behind_gwlb(status) ? "route and address" : "address");
	printf("%-10s ip_forward %s, ip_local_port_range %s\n", "sysctls", status->sysctl[0],
	       status->sysctl[1]);
	printf("%-10s %s\n", "pins", status->pin_dir);
}

static int not_running(const struct instance *instance, const char *pin_dir, bool json,
		       struct err *err)
{
	cJSON *object;

	if (json) {
		object = cJSON_CreateObject();
		cJSON_AddBoolToObject(object, "loaded", false);
		cJSON_AddBoolToObject(object, "remains", instance->state == INSTANCE_REMAINS);
		cJSON_AddStringToObject(object, "pin_dir", pin_dir);
		json_print(object);
	}
	if (instance->state == INSTANCE_NONE)
		return err_set(err, STATUS_NOT_LOADED, ENOENT,
			       "%s: no NAT is loaded here: 'natxdp load IFACE' loads one", pin_dir);
	return err_set(err, STATUS_STATE, ENOENT,
		       "%s: remains of a NAT that does not translate: a load that was interrupted, "
		       "or an interface that went away: load again, or 'natxdp unload --all'",
		       pin_dir);
}

int status_show(const char *pin_dir, bool json, struct err *err)
{
	struct status status = { .pin_dir = pin_dir };
	int ret;

	instance_look(&status.instance, pin_dir);
	if (status.instance.state != INSTANCE_RUNNING)
		return not_running(&status.instance, pin_dir, json, err);
	ret = read_maps(&status, err);
	if (ret)
		return ret;
	status.generic = is_generic(&status.instance.link[0]);
	if (status.instance.link[0].hook == HOOK_TC)
		lastload_read_why(pin_dir, status.why, sizeof(status.why));
	read_since(&status);
	status.watcher = watcher_pid(pin_dir);
	if (status.watcher)
		watcher_read_counters(pin_dir, &status.held);
	for (int i = 0; i < STATUS_SYSCTLS; i++) {
		if (sysctl_get(shown_sysctls[i], status.sysctl[i]))
			strcpy(status.sysctl[i], "?");
		for (char *c = status.sysctl[i]; *c; c++)
			*c = *c == '\t' ? '-' : *c; /* the two ends of a range */
	}
	if (json)
		return print_json(&status);
	print_text(&status);
	return 0;
}
