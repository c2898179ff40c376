/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "behaviour.h"

#include <string.h>

#include "json.h"
#include "profile.h"
#include "table.h"

static const char *const timeout_names[NATXDP_TIMEOUTS] = {
	[NATXDP_TIMEOUT_UDP] = "udp",
	[NATXDP_TIMEOUT_ICMP] = "icmp",
	[NATXDP_TIMEOUT_OTHER] = "other",
	[NATXDP_TIMEOUT_TCP_OPENING] = "tcp_opening",
	[NATXDP_TIMEOUT_TCP_ESTABLISHED] = "tcp_established",
	[NATXDP_TIMEOUT_TCP_CLOSING] = "tcp_closing",
};

static bool has(const struct natxdp_config *config, enum natxdp_features feature)
{
	return config->features & feature;
}

static const char *pooling(const struct natxdp_config *config)
{
	return has(config, NATXDP_POOLING_ARBITRARY) ? "arbitrary" : "paired";
}

static const char *others(const struct natxdp_config *config)
{
	return has(config, NATXDP_OTHER_PROTOCOLS) ? "translate" : "drop";
}

static void print_classes(const struct value_kind *kind, const __u8 *value, FILE *out)
{
	struct by_class by = { .given = CLASSES_ALL };

	memcpy(by.value, value, sizeof(by.value));
	kind->print(kind, &by, out);
}

void behaviour_print(const char *label, const struct natxdp_config *config, FILE *out)
{
	fprintf(out, "%-10s profile %s, pooling %s, hairpin %s, tcp_midstream %s\n", label,
		profile_of(config), pooling(config), has(config, NATXDP_HAIRPIN) ? "on" : "off",
		midstream_name(config->tcp_midstream));
	fprintf(out, "%-10s mapping ", "");
	print_classes(&kind_mapping, config->mapping, out);
	fprintf(out, "\n%-10s filtering ", "");
	print_classes(&kind_filtering, config->filtering, out);
	fputc('\n', out);
	if (config->limit_flows || config->limit_rate)
		fprintf(out, "%-10s %u flows, %u new a second for each inside address (0: any)\n",
			"limits", config->limit_flows, config->limit_rate);
	if (config->egress_mtu || config->mss_clamp)
		fprintf(out, "%-10s egress_mtu %u, mss_clamp %u (0: off)\n", "sizes",
			config->egress_mtu, config->mss_clamp);
}

static void add_classes(cJSON *object, const char *key, const struct value_kind *kind,
			const __u8 *value)
{
	cJSON *part = cJSON_AddObjectToObject(object, key);

	for (int class = 0; class < NATXDP_CLASSES; class ++)
		cJSON_AddStringToObject(part, class_names[class], kind->names[value[class]]);
}

cJSON *behaviour_json(const struct natxdp_config *config)
{
	cJSON *object = cJSON_CreateObject(), *part;
	char seconds[32];

	cJSON_AddStringToObject(object, "profile", profile_of(config));
	add_classes(object, "mapping", &kind_mapping, config->mapping);
	add_classes(object, "filtering", &kind_filtering, config->filtering);
	cJSON_AddStringToObject(object, "pooling", pooling(config));
	cJSON_AddBoolToObject(object, "hairpin", has(config, NATXDP_HAIRPIN));
	cJSON_AddBoolToObject(object, "inbound_refresh", has(config, NATXDP_INBOUND_REFRESH));
	cJSON_AddStringToObject(object, "other_protocols", others(config));
	cJSON_AddStringToObject(object, "tcp_midstream", midstream_name(config->tcp_midstream));
	json_add_count(object, "egress_mtu", config->egress_mtu);
	json_add_count(object, "mss_clamp", config->mss_clamp);
	json_add_count(object, "limit_flows", config->limit_flows);
	json_add_count(object, "limit_rate", config->limit_rate);
	part = cJSON_AddObjectToObject(object, "timeout_seconds");
	for (int i = 0; i < NATXDP_TIMEOUTS; i++) {
		snprintf(seconds, sizeof(seconds), "%.3f", table_seconds(config->timeout[i]));
		cJSON_AddRawToObject(part, timeout_names[i], seconds);
	}
	return object;
}
