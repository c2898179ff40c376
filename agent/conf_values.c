/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "conf_values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"

/* What stands for nothing; the kinds of text differ in this word. */
static const char *const auto_word[] = { "auto", NULL };
static const char *const none_word[] = { "none", NULL };

/* Printable ASCII without blanks: what CloudWatch, Logs and people agree on. */
static int parse_text(const struct value_kind *kind, const char *text, void *field,
		      struct reason *why)
{
	char *to = field;

	if (kind->names && !strcmp(text, *kind->names)) {
		*to = '\0';
		return 0;
	}
	if (!*text || strlen(text) >= CONF_TEXT_MAX)
		return value_refuse(why, "empty, or longer than %d characters", CONF_TEXT_MAX - 1);
	for (const char *c = text; *c; c++) {
		if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\')
			return value_refuse(why,
					    "only letters, digits and signs, no blanks or quotes");
	}
	strcpy(to, text);
	return 0;
}

static void print_text(const struct value_kind *kind, const void *field, FILE *out)
{
	const char *text = field;

	fputs(*text || !kind->names ? text : *kind->names, out);
}

static int parse_file(const struct value_kind *kind, const char *text, void *field,
		      struct reason *why)
{
	if (strcmp(text, *kind->names) && *text != '/')
		return value_refuse(why, "not an absolute path");
	return parse_text(kind, text, field, why);
}

static int parse_url(const struct value_kind *kind, const char *text, void *field,
		     struct reason *why)
{
	if (strcmp(text, *kind->names) && strncmp(text, "http://", 7) &&
	    strncmp(text, "https://", 8))
		return value_refuse(why, "not a URL: it begins with https:// or http://");
	return parse_text(kind, text, field, why);
}

int conf_split_address(const char *text, char host[CONF_TEXT_MAX], uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	struct in6_addr addr;
	struct reason why;
	size_t len;

	if (!colon || parse_port(colon + 1, port, &why))
		return -EINVAL;
	len = colon - text;
	if (len > 2 && *text == '[' && colon[-1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= CONF_TEXT_MAX)
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	return inet_pton(AF_INET, host, &addr) == 1 || inet_pton(AF_INET6, host, &addr) == 1 ?
		       0 :
		       -EINVAL;
}

static int parse_address(const struct value_kind *kind, const char *text, void *field,
			 struct reason *why)
{
	char host[CONF_TEXT_MAX];
	uint16_t port;

	if (strcmp(text, *kind->names) && conf_split_address(text, host, &port))
		return value_refuse(why, "not ADDRESS:PORT, for example 0.0.0.0:9469 or [::]:9469");
	return parse_text(kind, text, field, why);
}

static int parse_count(const struct value_kind *kind, const char *text, void *field,
		       struct reason *why)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	(void)kind;
	if (*text < '0' || *text > '9' || *end || !number || number > 1000000)
		return value_refuse(why, "not a number from 1 to 1000000");
	*(uint32_t *)field = number;
	return 0;
}

static void print_count(const struct value_kind *kind, const void *field, FILE *out)
{
	(void)kind;
	fprintf(out, "%u", *(const uint32_t *)field);
}

static int parse_name_of(const struct value_kind *kind, const char *text, void *field,
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

static void print_name_of(const struct value_kind *kind, const void *field, FILE *out)
{
	fputs(kind->names[*(const uint32_t *)field], out);
}

static int parse_protocols(const struct value_kind *kind, const char *text, void *field,
			   struct reason *why)
{
	uint32_t *bits = field, one = 0;
	char item[16];
	int ret;

	*bits = 0;
	while ((ret = value_next_item(&text, item, sizeof(item), why)) > 0) {
		if (parse_name_of(kind, item, &one, why))
			return -EINVAL;
		*bits |= 1u << one;
	}
	return ret;
}

static void print_protocols(const struct value_kind *kind, const void *field, FILE *out)
{
	uint32_t bits = *(const uint32_t *)field;
	const char *comma = "";

	for (int i = 0; kind->names[i]; i++) {
		if (!(bits >> i & 1))
			continue;
		fprintf(out, "%s%s", comma, kind->names[i]);
		comma = ", ";
	}
}

static const char *const level_names[] = { "off", "basic", "extended", NULL };
static const char *const record_names[] = { "off", "close", "all", NULL };
static const char *const protocol_names[] = { "tcp", "udp", "icmp", "other", NULL };

const struct value_kind kind_name = { "NAME", NULL, parse_text, print_text };
const struct value_kind kind_name_or_auto = { "auto|NAME", auto_word, parse_text, print_text };
const struct value_kind kind_name_or_none = { "none|NAME", none_word, parse_text, print_text };
const struct value_kind kind_file = { "none|PATH", none_word, parse_file, print_text };
const struct value_kind kind_address = { "none|ADDRESS:PORT", none_word, parse_address,
					 print_text };
const struct value_kind kind_url = { "auto|URL", auto_word, parse_url, print_text };
const struct value_kind kind_count = { "N", NULL, parse_count, print_count };
const struct value_kind kind_level = { "off|basic|extended", level_names, parse_name_of,
				       print_name_of };
const struct value_kind kind_records = { "off|close|all", record_names, parse_name_of,
					 print_name_of };
const struct value_kind kind_protocols = { "tcp,udp,icmp,other", protocol_names, parse_protocols,
					   print_protocols };
