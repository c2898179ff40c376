/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "counters.h"
#include "err.h"
#include "json.h"
#include "nat.h"
#include "options.h"
#include "privilege.h"
#include "tunnels.h"

struct arguments {
	struct options options;
	bool all;
};

enum { KEY_ALL = 'a' };

static const struct argp_option own_options[] = {
	{ "all", KEY_ALL, NULL, 0, "also what has not happened yet", 1 },
	{ 0 },
};

static const char doc[] =
	"Show what became of the packets since the NAT was loaded: how many left by which way, and "
	"why. Bytes are those of the IP packets.\v"
	"Examples:\n"
	"  natxdp stats\n"
	"  watch -d natxdp stats\n"
	"  natxdp stats --json | jq .reasons.drop_no_port.packets";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->options;
		return 0;
	case KEY_ALL:
		arguments->all = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void sum_verdict(const struct natxdp_counters *sum, enum verdict verdict, uint64_t *packets,
			uint64_t *bytes)
{
	*packets = *bytes = 0;
	for (int i = 0; i < NATXDP_REASON_COUNT; i++) {
		if (reason_names[i].verdict != verdict)
			continue;
		*packets += sum->packets[i];
		*bytes += sum->bytes[i];
	}
}

/* Each of a NAT behind load balancers that has been used. */
static void each_tunnel(const struct nat *nat,
			void (*show)(const struct natxdp_tunnel *tunnel, const struct tunnel_id *id,
				     const struct natxdp_tunnel_counters *sum, void *data),
			void *data)
{
	const struct natxdp_tunnel *tunnels = tunnels_map(nat);
	struct natxdp_tunnel_counters sum;
	struct tunnel_id id;

	for (uint32_t i = 1; tunnels && i < NATXDP_TUNNELS_MAX; i++) {
		if (!tunnel_is_real(&tunnels[i]) || tunnel_count(nat, i, &sum))
			continue;
		tunnel_read_id(&tunnels[i], &id);
		show(&tunnels[i], &id, &sum, data);
	}
	tunnels_unmap(tunnels);
}

static void add_way(cJSON *object, const char *name, uint64_t packets, uint64_t bytes)
{
	cJSON *way = cJSON_AddObjectToObject(object, name);

	json_add_count(way, "packets", packets);
	json_add_count(way, "bytes", bytes);
}

static void add_tunnel(const struct natxdp_tunnel *tunnel, const struct tunnel_id *id,
		       const struct natxdp_tunnel_counters *sum, void *list)
{
	cJSON *object = cJSON_CreateObject();
	char text[INET_ADDRSTRLEN > 17 ? INET_ADDRSTRLEN : 17];

	snprintf(text, sizeof(text), "%016" PRIx64, id->endpoint);
	cJSON_AddStringToObject(object, "endpoint", text);
	snprintf(text, sizeof(text), "%016" PRIx64, id->attachment);
	cJSON_AddStringToObject(object, "attachment", text);
	json_add_count(object, "vni", id->vni);
	inet_ntop(AF_INET, &tunnel->lb, text, sizeof(text));
	cJSON_AddStringToObject(object, "load_balancer", text);
	inet_ntop(AF_INET, &tunnel->own, text, sizeof(text));
	cJSON_AddStringToObject(object, "address", text);
	add_way(object, "out", sum->out_packets, sum->out_bytes);
	add_way(object, "in", sum->in_packets, sum->in_bytes);
	json_add_count(object, "flows_opened", sum->flows);
	cJSON_AddItemToArray(list, object);
}

static void print_tunnel(const struct natxdp_tunnel *tunnel, const struct tunnel_id *id,
			 const struct natxdp_tunnel_counters *sum, void *data)
{
	char lb[INET_ADDRSTRLEN];

	(void)data;
	inet_ntop(AF_INET, &tunnel->lb, lb, sizeof(lb));
	printf("endpoint %016" PRIx64 " behind %s, VNI %u: %llu flows opened\n", id->endpoint, lb,
	       id->vni, sum->flows);
	printf("  %-16s %16llu %18llu  from it\n", "out", sum->out_packets, sum->out_bytes);
	printf("  %-16s %16llu %18llu  to it\n", "in", sum->in_packets, sum->in_bytes);
}

static int print_json(const struct nat *nat, const struct natxdp_counters *sum)
{
	cJSON *object = cJSON_CreateObject(), *part, *item;
	uint64_t packets, bytes;

	part = cJSON_AddObjectToObject(object, "verdicts");
	for (int i = 0; i < VERDICTS; i++) {
		sum_verdict(sum, i, &packets, &bytes);
		item = cJSON_AddObjectToObject(part, verdict_names[i]);
		json_add_count(item, "packets", packets);
		json_add_count(item, "bytes", bytes);
	}
	part = cJSON_AddObjectToObject(object, "reasons");
	for (int i = 0; i < NATXDP_REASON_COUNT; i++) {
		item = cJSON_AddObjectToObject(part, reason_names[i].name);
		cJSON_AddStringToObject(item, "verdict", verdict_names[reason_names[i].verdict]);
		json_add_count(item, "packets", sum->packets[i]);
		json_add_count(item, "bytes", sum->bytes[i]);
		cJSON_AddStringToObject(item, "text", reason_names[i].text);
	}
	part = cJSON_AddObjectToObject(object, "events");
	for (int i = 0; i < NATXDP_EVENT_COUNT; i++)
		json_add_count(part, event_names[i].name, sum->events[i]);
	if (nat_has(nat, NAT_MAP_tunnels))
		each_tunnel(nat, add_tunnel, cJSON_AddArrayToObject(object, "tunnels"));
	return json_print(object);
}

static void print_text(const struct natxdp_counters *sum, bool all)
{
	uint64_t packets, bytes;

	printf("%-18s %16s %18s\n", "", "packets", "bytes");
	for (int verdict = 0; verdict < VERDICTS; verdict++) {
		sum_verdict(sum, verdict, &packets, &bytes);
		if (!packets && !all)
			continue;
		printf("%-18s %16" PRIu64 " %18" PRIu64 "\n", verdict_names[verdict], packets,
		       bytes);
		for (int i = 0; i < NATXDP_REASON_COUNT; i++) {
			if ((int)reason_names[i].verdict != verdict || (!sum->packets[i] && !all))
				continue;
			printf("  %-16s %16llu %18llu  %s\n", reason_names[i].name, sum->packets[i],
			       sum->bytes[i], reason_names[i].text);
		}
	}
	for (int i = 0; i < NATXDP_EVENT_COUNT; i++) {
		if (sum->events[i] || all)
			printf("%-18s %16llu %18s  %s\n", event_names[i].name, sum->events[i], "",
			       event_names[i].text);
	}
}

int cmd_stats(int argc, char **argv, struct err *err)
{
	const struct argp_child children[] = { { &options_common, 0, NULL, 0 }, { 0 } };
	const struct argp argp = { own_options, parse, NULL, doc, children, NULL, NULL };
	struct arguments arguments = { 0 };
	char pin_dir[PIN_DIR_MAX];
	struct natxdp_counters sum;
	struct nat nat;
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	ret = options_find_pin_dir(&arguments.options, pin_dir, err);
	if (!ret)
		ret = privilege_check(err);
	if (!ret)
		ret = nat_open(&nat, pin_dir, err);
	if (ret)
		return ret;
	ret = counters_read(&nat, &sum);
	if (ret) {
		err_set(err, STATUS_KERNEL, ret, "map counters: cannot read: %s", strerror(-ret));
	} else if (arguments.options.json) {
		ret = print_json(&nat, &sum);
	} else {
		print_text(&sum, arguments.all);
		each_tunnel(&nat, print_tunnel, NULL);
	}
	nat_close(&nat);
	return ret;
}
