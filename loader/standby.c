/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* External addresses that are held for the inside hosts of other zones: ADDR for PREFIX [PREFIX...] */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "values.h"

enum { ITEM_MAX = 256 };

static char *next_word(char **item)
{
	char *word;

	do
		word = strsep(item, " \t");
	while (word && !*word);
	return word;
}

/* The group of a prefix, or 0. */
static uint32_t find_group(const struct standby_list *list, const struct natxdp_prefix *prefix)
{
	for (unsigned int i = 0; i < list->prefix_count; i++) {
		if (!memcmp(&list->prefix[i].prefix, prefix, sizeof(*prefix)))
			return list->prefix[i].group;
	}
	return 0;
}

static int add_prefix(struct standby_list *list, const char *word, uint32_t group,
		      uint32_t *of_item, struct reason *why)
{
	struct natxdp_prefix prefix;
	uint32_t known;

	if (parse_prefix(word, &prefix, why))
		return -EINVAL;
	known = find_group(list, &prefix);
	if (!*of_item)
		*of_item = known ? known : group;
	if (known && known != *of_item)
		return value_refuse(why, "%.40s: with other prefixes here than before", word);
	if (known)
		return 0;
	if (list->prefix_count == STANDBY_PREFIXES_MAX)
		return value_refuse(why, "more than %d prefixes", STANDBY_PREFIXES_MAX);
	list->prefix[list->prefix_count].prefix = prefix;
	list->prefix[list->prefix_count++].group = *of_item;
	return 0;
}

static int parse_item(struct standby_list *list, char *item, struct reason *why)
{
	struct standby *standby = &list->item[list->count];
	char *word = next_word(&item), *for_word = next_word(&item);

	if (list->count == NATXDP_POOL_MAX)
		return value_refuse(why, "more than %d addresses", NATXDP_POOL_MAX);
	if (!word || parse_external(word, &standby->external, why))
		return word ? -EINVAL : value_refuse(why, "an item is empty");
	for (unsigned int i = 0; i < list->count; i++) {
		if (list->item[i].external.addr == standby->external.addr)
			return value_refuse(why, "'%s' stands there twice", word);
	}
	standby->group = 0;
	if (!for_word || strcmp(for_word, "for"))
		return value_refuse(why, "'%.40s': say for whom: ADDRESS for PREFIX", word);
	while ((word = next_word(&item))) {
		if (add_prefix(list, word, list->count + 1, &standby->group, why))
			return -EINVAL;
	}
	if (!standby->group)
		return value_refuse(why, "for whom? give the prefix of its inside hosts");
	list->count++;
	return 0;
}

static int parse_standby(const struct value_kind *kind, const char *text, void *field,
			 struct reason *why)
{
	struct standby_list *list = field;
	char item[ITEM_MAX];
	int ret;

	(void)kind;
	memset(list, 0, sizeof(*list));
	if (!strcmp(text, "none"))
		return 0;
	while ((ret = value_next_item(&text, item, sizeof(item), why)) > 0) {
		if (parse_item(list, item, why))
			return -EINVAL;
	}
	return ret;
}

static void print_standby(const struct value_kind *kind, const void *field, FILE *out)
{
	const struct standby_list *list = field;
	char addr[INET_ADDRSTRLEN];
	unsigned int shown;

	(void)kind;
	if (!list->count)
		fputs("none", out);
	for (unsigned int i = 0; i < list->count; i++) {
		fputs(i ? ",\n\t" : "", out);
		print_external_item(&list->item[i].external, out);
		fputs(" for", out);
		shown = 0;
		for (unsigned int j = 0; j < list->prefix_count; j++) {
			if (list->prefix[j].group != list->item[i].group)
				continue;
			inet_ntop(AF_INET, &list->prefix[j].prefix.addr, addr, sizeof(addr));
			fprintf(out, "%s%s/%u", shown++ % 8 == 7 ? "\n\t" : " ", addr,
				list->prefix[j].prefix.bits);
		}
	}
}

const struct value_kind kind_standby = { "none|ADDR[:MIN-MAX] for PREFIX...,...", NULL,
					 parse_standby, print_standby };
