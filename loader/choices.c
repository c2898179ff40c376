/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The values that are names: one of a few, or one for each protocol. */
#include <errno.h>
#include <string.h>

#include "values.h"

static int find_name(const struct value_kind *kind, const char *text, struct reason *why)
{
	char choices[96] = "";
	size_t used = 0;

	for (int i = 0; kind->names[i]; i++) {
		if (!strcmp(kind->names[i], text))
			return i;
		used += snprintf(choices + used, sizeof(choices) - used, "%s%s", i ? "|" : "",
				 kind->names[i]);
	}
	return value_refuse(why, "'%.40s' is not one of the choices: give %s", text, choices);
}

static int parse_choice(const struct value_kind *kind, const char *text, void *field,
			struct reason *why)
{
	int choice = find_name(kind, text, why);

	if (choice < 0)
		return choice;
	*(uint32_t *)field = choice;
	return 0;
}

static void print_choice(const struct value_kind *kind, const void *field, FILE *out)
{
	fputs(kind->names[*(const uint32_t *)field], out);
}

const char *const class_names[NATXDP_CLASSES] = {
	[NATXDP_CLASS_UDP] = "udp",
	[NATXDP_CLASS_TCP] = "tcp",
	[NATXDP_CLASS_ICMP] = "icmp",
};

/* PROTO:NAME; returns the class */
static int parse_class(const struct value_kind *kind, const char *item, struct by_class *by,
		       struct reason *why)
{
	size_t len = strcspn(item, ":");
	int choice;

	for (int class = 0; class < NATXDP_CLASSES; class ++) {
		if (strlen(class_names[class]) != len || strncmp(class_names[class], item, len))
			continue;
		if (by->given & 1 << class)
			return value_refuse(why, "'%s' stands there twice", class_names[class]);
		choice = find_name(kind, item + len + 1, why);
		if (choice < 0)
			return choice;
		by->value[class] = choice;
		by->given |= 1 << class;
		return class;
	}
	return value_refuse(why, "'%.*s' is not a protocol: give udp, tcp or icmp", (int)len, item);
}

/* NAME, or PROTO:NAME, ... */
static int parse_by_class(const struct value_kind *kind, const char *text, void *field,
			  struct reason *why)
{
	struct by_class *by = field;
	char item[48];
	int ret;

	memset(by, 0, sizeof(*by));
	if (!strchr(text, ':') && !strchr(text, ',')) {
		ret = find_name(kind, text, why);
		if (ret < 0)
			return ret;
		memset(by->value, ret, sizeof(by->value));
		by->given = CLASSES_ALL;
		return 0;
	}
	while ((ret = value_next_item(&text, item, sizeof(item), why)) > 0) {
		if (!strchr(item, ':'))
			return value_refuse(why,
					    "'%s' does not say for which protocol: give PROTO:NAME",
					    item);
		if (parse_class(kind, item, by, why) < 0)
			return -EINVAL;
	}
	return ret;
}

static void print_by_class(const struct value_kind *kind, const void *field, FILE *out)
{
	const struct by_class *by = field;
	const char *separator = "";
	bool equal = by->given == CLASSES_ALL;

	for (int class = 1; class < NATXDP_CLASSES; class ++)
		equal &= by->value[class] == by->value[0];
	if (equal) {
		fputs(kind->names[by->value[0]], out);
		return;
	}
	for (int class = 0; class < NATXDP_CLASSES; class ++) {
		if (!(by->given & 1 << class))
			continue;
		fprintf(out, "%s%s:%s", separator, class_names[class],
			kind->names[by->value[class]]);
		separator = ", ";
	}
}

static const char *const mode_names[] = { "routed", "gwlb", NULL };
static const char *const gwlb_ipv6_names[] = { "drop", "return", NULL };
static const char *const profile_names[] = { "aws", "rfc", NULL };
static const char *const midstream_names[] = { "reset", "adopt", "drop", NULL };
static const char *const hook_choices[] = { "auto", "xdp", "tc", NULL };
static const char *const xdp_mode_names[] = { "native", "generic", NULL };
static const char *const pooling_names[] = { "paired", "arbitrary", NULL };
static const char *const switch_names[] = { "off", "on", NULL };
static const char *const others_names[] = { "drop", "translate", NULL };
static const char *const mapping_names[] = {
	[NATXDP_MAPPING_ENDPOINT_DEPENDENT] = "endpoint-dependent",
	[NATXDP_MAPPING_ENDPOINT_INDEPENDENT] = "endpoint-independent",
	NULL,
};
static const char *const filtering_names[] = {
	[NATXDP_FILTERING_ENDPOINT_DEPENDENT] = "endpoint-dependent",
	[NATXDP_FILTERING_ADDRESS_DEPENDENT] = "address-dependent",
	[NATXDP_FILTERING_ENDPOINT_INDEPENDENT] = "endpoint-independent",
	NULL,
};

const struct value_kind kind_mode = { "routed|gwlb", mode_names, parse_choice, print_choice };
const struct value_kind kind_gwlb_ipv6 = {
	"drop|return",
	gwlb_ipv6_names,
	parse_choice,
	print_choice,
};
const struct value_kind kind_profile = { "aws|rfc", profile_names, parse_choice, print_choice };
const struct value_kind kind_midstream = {
	"reset|adopt|drop",
	midstream_names,
	parse_choice,
	print_choice,
};
const struct value_kind kind_hook = {
	"HOOK",
	hook_choices,
	parse_choice,
	print_choice,
};

const struct value_kind kind_xdp_mode = {
	"native|generic",
	xdp_mode_names,
	parse_choice,
	print_choice,
};
const struct value_kind kind_pooling = {
	"paired|arbitrary",
	pooling_names,
	parse_choice,
	print_choice,
};
const struct value_kind kind_switch = { "on|off", switch_names, parse_choice, print_choice };
const struct value_kind kind_flag = { "on|off", switch_names, parse_choice, print_choice };
const struct value_kind kind_others = {
	"drop|translate",
	others_names,
	parse_choice,
	print_choice,
};
const struct value_kind kind_mapping = {
	"[PROTO:]NAME,...",
	mapping_names,
	parse_by_class,
	print_by_class,
};
const struct value_kind kind_filtering = {
	"[PROTO:]NAME,...",
	filtering_names,
	parse_by_class,
	print_by_class,
};

const char *profile_name(enum profile profile)
{
	return profile_names[profile];
}

const char *xdp_mode_name(enum xdp_mode mode)
{
	return xdp_mode_names[mode];
}

const char *midstream_name(enum natxdp_midstream midstream)
{
	return midstream_names[midstream];
}

const char *filtering_name(enum natxdp_filtering filtering)
{
	return filtering_names[filtering];
}
