/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How the fleet is written in natxdpd.conf: lists of items, the words of an item between blanks. */
#include "members.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"

enum { ITEM_MAX = 768 };

/* The next word of @item, which is cut up. NULL: no more. */
static char *next_word(char **item)
{
	char *word;

	do
		word = strsep(item, " \t");
	while (word && !*word);
	return word;
}

static int take_name(char **item, char name[HA_NAME_MAX], const char *what, struct reason *why)
{
	const char *word = next_word(item);

	if (!word)
		return value_refuse(why, "%s is missing", what);
	if (strlen(word) >= HA_NAME_MAX)
		return value_refuse(why, "'%.40s...' is too long", word);
	for (const char *c = word; *c; c++) {
		if (*c < '!' || *c > '~' || *c == '"' || *c == '\\' || *c == '=')
			return value_refuse(why, "'%.40s': only letters, digits and signs", word);
	}
	strcpy(name, word);
	return 0;
}

static int take_id(char **item, char id[HA_NAME_MAX], const char *prefix, struct reason *why)
{
	int ret = take_name(item, id, prefix, why);

	if (!ret && strncmp(id, prefix, strlen(prefix)))
		return value_refuse(why, "'%.40s' does not begin with %s", id, prefix);
	return ret;
}

/* An instance of an Auto Scaling group has an id that nobody knows before. */
static int take_instance(char **item, char id[HA_NAME_MAX], struct reason *why)
{
	int ret = take_name(item, id, "i-", why);

	if (!ret && !strcmp(id, "auto"))
		*id = '\0';
	else if (!ret && strncmp(id, "i-", 2))
		return value_refuse(why, "'%.40s' does not begin with i-, and is not auto", id);
	return ret;
}

static int no_more(char **item, struct reason *why)
{
	const char *word = next_word(item);

	return word ? value_refuse(why, "'%.40s' is one word too many", word) : 0;
}

/* The items of a list, one by one. */
typedef int (*parse_item)(char *item, void *list, struct reason *why);

static int parse_list(const char *text, void *list, parse_item parse, struct reason *why)
{
	char item[ITEM_MAX];
	int ret;

	while ((ret = value_next_item(&text, item, sizeof(item), why)) > 0) {
		ret = parse(item, list, why);
		if (ret)
			return ret;
	}
	return ret;
}

static bool is_none(const char *text)
{
	return !strcmp(text, "none");
}

static int parse_node(char *item, void *list, struct reason *why)
{
	struct ha_nodes *nodes = list;
	struct ha_node *node = &nodes->item[nodes->count];
	char host[CONF_TEXT_MAX];
	uint16_t port;

	if (nodes->count == POLICY_NODES)
		return value_refuse(why, "more than %d nodes", POLICY_NODES);
	if (take_name(&item, node->id, "the name of a node", why) ||
	    take_name(&item, node->zone, "the zone of a node", why) ||
	    take_name(&item, node->address, "the ADDRESS:PORT of an agent", why))
		return -EINVAL;
	if (conf_split_address(node->address, host, &port))
		return value_refuse(why, "'%.60s' is not ADDRESS:PORT, for example 10.0.1.5:9470",
				    node->address);
	if (take_instance(&item, node->instance, why) ||
	    take_id(&item, node->interface, "eni-", why) || no_more(&item, why))
		return -EINVAL;
	nodes->count++;
	return 0;
}

static int parse_nodes(const struct value_kind *kind, const char *text, void *field,
		       struct reason *why)
{
	(void)kind;
	memset(field, 0, sizeof(struct ha_nodes));
	return is_none(text) ? 0 : parse_list(text, field, parse_node, why);
}

static int check_cidr(const char *text, struct reason *why)
{
	char addr[HA_NAME_MAX], *slash, *end;
	struct in6_addr bytes;
	unsigned long bits;

	strcpy(addr, text);
	slash = strchr(addr, '/');
	if (!slash)
		return value_refuse(why, "'%.50s' is not a network, for example 0.0.0.0/0", text);
	*slash = '\0';
	bits = strtoul(slash + 1, &end, 10);
	if (slash[1] < '0' || slash[1] > '9' || *end ||
	    !((inet_pton(AF_INET, addr, &bytes) == 1 && bits <= 32) ||
	      (inet_pton(AF_INET6, addr, &bytes) == 1 && bits <= 128)))
		return value_refuse(why, "'%.50s' is not a network, for example 0.0.0.0/0", text);
	return 0;
}

static int parse_route(char *item, void *list, struct reason *why)
{
	struct ha_routes *routes = list;
	struct ha_route *route = &routes->item[routes->count];

	if (routes->count == HA_ROUTES_MAX)
		return value_refuse(why, "more than %d routes", HA_ROUTES_MAX);
	if (take_name(&item, route->zone, "the zone of a route", why) ||
	    take_id(&item, route->table, "rtb-", why) ||
	    take_name(&item, route->cidr, "the destination of a route", why) ||
	    check_cidr(route->cidr, why) || no_more(&item, why))
		return -EINVAL;
	routes->count++;
	return 0;
}

static int parse_routes(const struct value_kind *kind, const char *text, void *field,
			struct reason *why)
{
	(void)kind;
	memset(field, 0, sizeof(struct ha_routes));
	return is_none(text) ? 0 : parse_list(text, field, parse_route, why);
}

static int parse_group(char *item, void *list, struct reason *why)
{
	struct ha_groups *groups = list;
	struct ha_group *group = &groups->item[groups->count];
	const char *arn;

	if (groups->count == POLICY_ZONES)
		return value_refuse(why, "more than %d target groups", POLICY_ZONES);
	if (take_name(&item, group->zone, "the zone of a target group", why))
		return -EINVAL;
	arn = next_word(&item);
	if (!arn || strncmp(arn, "arn:", 4) || !strstr(arn, ":targetgroup/"))
		return value_refuse(why, "'%.60s' is not the ARN of a target group",
				    arn ? arn : "");
	if (strlen(arn) >= HA_TEXT_MAX)
		return value_refuse(why, "'%.40s...' is too long", arn);
	strcpy(group->arn, arn);
	if (no_more(&item, why))
		return -EINVAL;
	groups->count++;
	return 0;
}

static int parse_groups(const struct value_kind *kind, const char *text, void *field,
			struct reason *why)
{
	(void)kind;
	memset(field, 0, sizeof(struct ha_groups));
	return is_none(text) ? 0 : parse_list(text, field, parse_group, why);
}

static int parse_private(char *word, struct ha_address *address, struct reason *why)
{
	char *equal = strchr(word, '=');

	if (!equal || equal == word || equal - word >= HA_NAME_MAX)
		return value_refuse(why, "'%.60s' is not NODE=ADDRESS", word);
	if (address->count == POLICY_NODES)
		return value_refuse(why, "more than %d nodes", POLICY_NODES);
	*equal = '\0';
	strcpy(address->on[address->count].node, word);
	if (inet_pton(AF_INET, equal + 1, &address->on[address->count].addr) != 1)
		return value_refuse(why, "'%.40s' is not an IPv4 address", equal + 1);
	address->count++;
	return 0;
}

static int parse_address(char *item, void *list, struct reason *why)
{
	struct ha_addresses *addresses = list;
	struct ha_address *address = &addresses->item[addresses->count];
	char *word;

	if (addresses->count == HA_ADDRESSES_MAX)
		return value_refuse(why, "more than %d addresses", HA_ADDRESSES_MAX);
	if (take_name(&item, address->zone, "the zone of an address", why) ||
	    take_id(&item, address->allocation, "eipalloc-", why))
		return -EINVAL;
	while ((word = next_word(&item))) {
		if (parse_private(word, address, why))
			return -EINVAL;
	}
	addresses->count++;
	return 0;
}

static int parse_addresses(const struct value_kind *kind, const char *text, void *field,
			   struct reason *why)
{
	(void)kind;
	memset(field, 0, sizeof(struct ha_addresses));
	return is_none(text) ? 0 : parse_list(text, field, parse_address, why);
}

static void print_nodes(const struct value_kind *kind, const void *field, FILE *out)
{
	const struct ha_nodes *nodes = field;

	(void)kind;
	if (!nodes->count)
		fputs("none", out);
	for (unsigned int i = 0; i < nodes->count; i++) {
		const struct ha_node *node = &nodes->item[i];

		fprintf(out, "%s%s %s %s %s %s", i ? ",\n\t" : "", node->id, node->zone,
			node->address, *node->instance ? node->instance : "auto", node->interface);
	}
}

static void print_routes(const struct value_kind *kind, const void *field, FILE *out)
{
	const struct ha_routes *routes = field;

	(void)kind;
	if (!routes->count)
		fputs("none", out);
	for (unsigned int i = 0; i < routes->count; i++)
		fprintf(out, "%s%s %s %s", i ? ",\n\t" : "", routes->item[i].zone,
			routes->item[i].table, routes->item[i].cidr);
}

static void print_addresses(const struct value_kind *kind, const void *field, FILE *out)
{
	const struct ha_addresses *addresses = field;
	char text[INET_ADDRSTRLEN];

	(void)kind;
	if (!addresses->count)
		fputs("none", out);
	for (unsigned int i = 0; i < addresses->count; i++) {
		const struct ha_address *address = &addresses->item[i];

		fprintf(out, "%s%s %s", i ? ",\n\t" : "", address->zone, address->allocation);
		for (unsigned int j = 0; j < address->count; j++) {
			inet_ntop(AF_INET, &address->on[j].addr, text, sizeof(text));
			/* eight nodes with long names are more than a line may have */
			fprintf(out, "%s%s=%s", j % 2 || !j ? " " : "\n\t", address->on[j].node,
				text);
		}
	}
}

static void print_groups(const struct value_kind *kind, const void *field, FILE *out)
{
	const struct ha_groups *groups = field;

	(void)kind;
	if (!groups->count)
		fputs("none", out);
	for (unsigned int i = 0; i < groups->count; i++)
		fprintf(out, "%s%s %s", i ? ",\n\t" : "", groups->item[i].zone,
			groups->item[i].arn);
}

static int parse_word(const struct value_kind *kind, const char *text, void *field,
		      struct reason *why)
{
	for (uint32_t i = 0; kind->names[i]; i++) {
		if (strcmp(kind->names[i], text))
			continue;
		*(uint32_t *)field = i;
		return 0;
	}
	return value_refuse(why, "'%.40s' is not one of %s", text, kind->metavar);
}

static void print_word(const struct value_kind *kind, const void *field, FILE *out)
{
	fputs(kind->names[*(const uint32_t *)field], out);
}

static const char *const mode_names[] = { "eip", "eni", "gwlb", NULL };
static const char *const stop_names[] = { "stay", "hand-over", NULL };

const struct value_kind kind_ha_nodes = { "none|NODE ZONE ADDRESS:PORT INSTANCE INTERFACE,...",
					  NULL, parse_nodes, print_nodes };
const struct value_kind kind_ha_routes = { "none|ZONE TABLE NETWORK,...", NULL, parse_routes,
					   print_routes };
const struct value_kind kind_ha_addresses = { "none|ZONE ALLOCATION NODE=ADDRESS...,...", NULL,
					      parse_addresses, print_addresses };
const struct value_kind kind_ha_groups = { "none|ZONE ARN,...", NULL, parse_groups, print_groups };
const struct value_kind kind_ha_mode = { "eip|eni|gwlb", mode_names, parse_word, print_word };
const struct value_kind kind_ha_stop = { "stay|hand-over", stop_names, parse_word, print_word };
