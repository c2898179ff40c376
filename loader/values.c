/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int value_refuse(struct reason *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, args);
	va_end(args);
	return -EINVAL;
}

int value_next_item(const char **cursor, char *item, size_t size, struct reason *why)
{
	const char *start, *end;
	size_t len;

	if (!*cursor)
		return 0;
	start = *cursor + strspn(*cursor, " \t");
	end = start + strcspn(start, ",");
	*cursor = *end ? end + 1 : NULL;
	len = end - start;
	while (len && (start[len - 1] == ' ' || start[len - 1] == '\t'))
		len--;
	if (!len)
		return value_refuse(why, "an item is empty: look for a comma too many");
	if (len >= size)
		return value_refuse(why, "'%.20s...' is too long", start);
	memcpy(item, start, len);
	item[len] = '\0';
	return 1;
}

static int parse_number(const char *text, unsigned long max, unsigned long *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*number = strtoul(text, &end, 10);
	return *end || errno || *number > max ? -EINVAL : 0;
}

int parse_port(const char *text, uint16_t *port, struct reason *why)
{
	unsigned long number;

	if (parse_number(text, 65535, &number) || !number)
		return value_refuse(why, "'%.20s' is not a port: give 1 to 65535", text);
	*port = number;
	return 0;
}

/* A or A-B */
static int parse_ports_item(const char *text, struct port_range *range, struct reason *why)
{
	const char *dash = strchr(text, '-');
	char first[8];
	int ret;

	if (!dash) {
		ret = parse_port(text, &range->min, why);
		range->max = range->min;
		return ret;
	}
	if ((size_t)(dash - text) >= sizeof(first))
		return value_refuse(why, "'%.20s' is not a port range: give MIN-MAX", text);
	memcpy(first, text, dash - text);
	first[dash - text] = '\0';
	ret = parse_port(first, &range->min, why);
	if (!ret)
		ret = parse_port(dash + 1, &range->max, why);
	if (!ret && range->min > range->max)
		ret = value_refuse(why,
				   "the range '%.20s' is upside down: the lower port comes first",
				   text);
	return ret;
}

static void print_ports_item(const struct port_range *range, FILE *out)
{
	if (range->min == range->max)
		fprintf(out, "%u", range->min);
	else
		fprintf(out, "%u-%u", range->min, range->max);
}

static int parse_addr(const char *text, __be32 *addr, struct reason *why)
{
	if (inet_pton(AF_INET, text, addr) != 1)
		return value_refuse(why, "'%.40s' is not an IPv4 address", text);
	return 0;
}

int parse_prefix(const char *text, struct natxdp_prefix *prefix, struct reason *why)
{
	char addr[INET_ADDRSTRLEN] = "", network[INET_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	unsigned long bits = 32;
	__be32 masked;

	if (len >= sizeof(addr))
		return value_refuse(why, "'%.40s' is not an IPv4 prefix: give A.B.C.D/N", text);
	memcpy(addr, text, len);
	if (parse_addr(addr, &prefix->addr, why))
		return -EINVAL;
	if (text[len] && parse_number(text + len + 1, 32, &bits))
		return value_refuse(why, "'%.40s' has no valid prefix length: give /0 to /32",
				    text);
	masked = bits ? prefix->addr & htonl(~0u << (32 - bits)) : 0;
	if (masked != prefix->addr) {
		inet_ntop(AF_INET, &masked, network, sizeof(network));
		return value_refuse(why,
				    "'%.40s' has bits set after its prefix: did you mean %s/%lu?",
				    text, network, bits);
	}
	prefix->bits = bits;
	return 0;
}

int parse_external(const char *text, struct external *external, struct reason *why)
{
	const char *colon = strchr(text, ':');
	char addr[INET_ADDRSTRLEN] = "";
	size_t len = strcspn(text, ":");
	uint32_t host;

	memset(external, 0, sizeof(*external));
	if (len >= sizeof(addr))
		return value_refuse(why, "'%.40s' is not an IPv4 address", text);
	memcpy(addr, text, len);
	if (parse_addr(addr, &external->addr, why))
		return -EINVAL;
	host = ntohl(external->addr);
	if (host >> 24 == 0 || host >> 24 == 127 || host >> 28 >= 14)
		return value_refuse(why, "%s cannot be the source of a packet on a network", addr);
	if (!colon)
		return 0;
	external->has_ports = true;
	return parse_ports_item(colon + 1, &external->ports, why);
}

static int parse_external_list(const struct value_kind *kind, const char *text, void *field,
			       struct reason *why)
{
	struct external_list *list = field;
	struct external external;
	char item[48];
	int ret;

	(void)kind;
	list->count = 0;
	if (!strcmp(text, "auto"))
		return 0;
	while ((ret = value_next_item(&text, item, sizeof(item), why)) > 0) {
		if (parse_external(item, &external, why))
			return -EINVAL;
		for (unsigned int i = 0; i < list->count; i++) {
			if (list->item[i].addr == external.addr)
				return value_refuse(why, "'%s' stands there twice", item);
		}
		if (list->count == NATXDP_POOL_MAX)
			return value_refuse(why, "more than %d addresses", NATXDP_POOL_MAX);
		list->item[list->count++] = external;
	}
	return ret;
}

void print_external_item(const struct external *external, FILE *out)
{
	char addr[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &external->addr, addr, sizeof(addr));
	fputs(addr, out);
	if (!external->has_ports)
		return;
	fputc(':', out);
	print_ports_item(&external->ports, out);
}

static void print_external_list(const struct value_kind *kind, const void *field, FILE *out)
{
	const struct external_list *list = field;

	(void)kind;
	if (!list->count)
		fputs("auto", out);
	for (unsigned int i = 0; i < list->count; i++) {
		fputs(i ? ",\n\t" : "", out);
		print_external_item(&list->item[i], out);
	}
}

static int parse_ifaces(const struct value_kind *kind, const char *text, void *field,
			struct reason *why)
{
	struct iface_list *list = field;
	char item[IFNAMSIZ];
	int ret;

	(void)kind;
	memset(list, 0, sizeof(*list));
	if (!strcmp(text, "none"))
		return 0;
	while ((ret = value_next_item(&text, item, sizeof(item), why)) > 0) {
		if (strpbrk(item, " \t/:"))
			return value_refuse(why, "'%s' is not the name of an interface", item);
		for (unsigned int i = 0; i < list->count; i++) {
			if (!strcmp(list->name[i], item))
				return value_refuse(why, "'%s' stands there twice", item);
		}
		if (list->count == NATXDP_DEVS_MAX - 1)
			return value_refuse(why, "more than %d interfaces", NATXDP_DEVS_MAX - 1);
		strcpy(list->name[list->count++], item);
	}
	return ret;
}

static void print_ifaces(const struct value_kind *kind, const void *field, FILE *out)
{
	const struct iface_list *list = field;

	(void)kind;
	if (!list->count)
		fputs("none", out);
	for (unsigned int i = 0; i < list->count; i++)
		fprintf(out, "%s%s", i ? ", " : "", list->name[i]);
}

static int parse_prefixes(const struct value_kind *kind, const char *text, void *field,
			  struct reason *why)
{
	struct prefix_list *list = field;
	struct natxdp_prefix prefix;
	char item[48];
	int ret;

	(void)kind;
	list->count = 0;
	list->automatic = !strcmp(text, "auto");
	if (list->automatic || !strcmp(text, "none"))
		return 0;
	while ((ret = value_next_item(&text, item, sizeof(item), why)) > 0) {
		if (parse_prefix(item, &prefix, why))
			return -EINVAL;
		if (list->count == NATXDP_PREFIXES_MAX)
			return value_refuse(why, "more than %d prefixes", NATXDP_PREFIXES_MAX);
		list->item[list->count++] = prefix;
	}
	return ret;
}

static void print_prefixes(const struct value_kind *kind, const void *field, FILE *out)
{
	const struct prefix_list *list = field;
	char addr[INET_ADDRSTRLEN];

	(void)kind;
	if (!list->count)
		fputs(list->automatic ? "auto" : "none", out);
	for (unsigned int i = 0; i < list->count; i++) {
		inet_ntop(AF_INET, &list->item[i].addr, addr, sizeof(addr));
		fprintf(out, "%s%s/%u", i ? ",\n\t" : "", addr, list->item[i].bits);
	}
}

static int parse_port_range(const struct value_kind *kind, const char *text, void *field,
			    struct reason *why)
{
	(void)kind;
	return parse_ports_item(text, field, why);
}

static void print_port_range(const struct value_kind *kind, const void *field, FILE *out)
{
	(void)kind;
	print_ports_item(field, out);
}

static int parse_port_list(const struct value_kind *kind, const char *text, void *field,
			   struct reason *why)
{
	struct port_list *list = field;
	char item[24];
	int ret;

	(void)kind;
	list->count = 0;
	if (!strcmp(text, "none"))
		return 0;
	while ((ret = value_next_item(&text, item, sizeof(item), why)) > 0) {
		if (list->count == PORT_RANGES_MAX)
			return value_refuse(why, "more than %d ports and ranges", PORT_RANGES_MAX);
		if (parse_ports_item(item, &list->range[list->count++], why))
			return -EINVAL;
	}
	return ret;
}

static void print_port_list(const struct value_kind *kind, const void *field, FILE *out)
{
	const struct port_list *list = field;

	(void)kind;
	if (!list->count)
		fputs("none", out);
	for (unsigned int i = 0; i < list->count; i++) {
		fputs(!i ? "" : i % 8 ? ", " : ",\n\t", out);
		print_ports_item(&list->range[i], out);
	}
}

static int parse_flows(const struct value_kind *kind, const char *text, void *field,
		       struct reason *why)
{
	unsigned long number;

	(void)kind;
	if (parse_number(text, NATXDP_FLOWS_MAX, &number) || number < NATXDP_FLOWS_MIN)
		return value_refuse(why, "not a number of flows: give %d to %d", NATXDP_FLOWS_MIN,
				    NATXDP_FLOWS_MAX);
	*(uint32_t *)field = number;
	return 0;
}

static void print_number(const struct value_kind *kind, const void *field, FILE *out)
{
	(void)kind;
	fprintf(out, "%u", *(const uint32_t *)field);
}

/* Seconds with decimals, or with a suffix s, m or h; kept in milliseconds. */
static int parse_duration(const struct value_kind *kind, const char *text, void *field,
			  struct reason *why)
{
	size_t digits = strspn(text, "0123456789.");
	const char *suffix = text + digits;
	double seconds;
	char *end;

	(void)kind;
	seconds = strtod(text, &end);
	if (!digits || end != suffix || (*suffix && suffix[1]) || !strchr("smh", *suffix))
		return value_refuse(why,
				    "not a time: give seconds such as 350 or 1.5, or 30s, 5m, 2h");
	if (*suffix == 'm')
		seconds *= 60;
	if (*suffix == 'h')
		seconds *= 3600;
	if (seconds * 1000 < DURATION_MIN_MS || seconds * 1000 > DURATION_MAX_MS)
		return value_refuse(why, "out of range: give 0.1 seconds to 168h");
	*(uint32_t *)field = (uint32_t)(seconds * 1000 + 0.5);
	return 0;
}

static void print_duration(const struct value_kind *kind, const void *field, FILE *out)
{
	uint32_t ms = *(const uint32_t *)field;

	(void)kind;
	if (ms % 1000)
		fprintf(out, "%u.%03u", ms / 1000, ms % 1000);
	else
		fprintf(out, "%u", ms / 1000);
}

static int parse_limit(const struct value_kind *kind, const char *text, void *field,
		       struct reason *why)
{
	unsigned long number;

	(void)kind;
	if (parse_number(text, LIMIT_MAX, &number))
		return value_refuse(why, "not a limit: give 1 to %d, or 0 for none", LIMIT_MAX);
	*(uint32_t *)field = number;
	return 0;
}

static int parse_size(const struct value_kind *kind, const char *text, void *field,
		      struct reason *why)
{
	unsigned long number;

	(void)kind;
	if (!strcmp(text, "off"))
		number = SIZE_OFF;
	else if (!strcmp(text, "auto"))
		number = SIZE_AUTO;
	else if (parse_number(text, SIZE_LARGEST, &number) || number < SIZE_SMALLEST)
		return value_refuse(why, "not a size: give off, auto, or %d to %d bytes",
				    SIZE_SMALLEST, SIZE_LARGEST);
	*(uint32_t *)field = number;
	return 0;
}

static void print_size(const struct value_kind *kind, const void *field, FILE *out)
{
	uint32_t size = *(const uint32_t *)field;

	(void)kind;
	if (size > SIZE_AUTO)
		fprintf(out, "%u", size);
	else
		fputs(size == SIZE_AUTO ? "auto" : "off", out);
}

static int parse_path(const struct value_kind *kind, const char *text, void *field,
		      struct reason *why)
{
	size_t len = strlen(text);

	(void)kind;
	if (*text != '/' || len >= PIN_DIR_MAX - 64)
		return value_refuse(why, "not an absolute path of reasonable length");
	while (len > 1 && text[len - 1] == '/')
		len--;
	if (len == 1 || memmem(text, len, "//", 2) || memmem(text, len, "/.", 2))
		return value_refuse(why, "not a plain directory path");
	memcpy(field, text, len);
	((char *)field)[len] = '\0';
	return 0;
}

static void print_path(const struct value_kind *kind, const void *field, FILE *out)
{
	(void)kind;
	fputs(field, out);
}

const struct value_kind kind_external = {
	"ADDR[:MIN-MAX],...",
	NULL,
	parse_external_list,
	print_external_list,
};
const struct value_kind kind_ifaces = { "IFACE,...", NULL, parse_ifaces, print_ifaces };
const struct value_kind kind_prefixes = { "CIDR,...", NULL, parse_prefixes, print_prefixes };
const struct value_kind kind_port_range = { "MIN-MAX", NULL, parse_port_range, print_port_range };
const struct value_kind kind_ports = { "PORTS,...", NULL, parse_port_list, print_port_list };
const struct value_kind kind_flows = { "N", NULL, parse_flows, print_number };
const struct value_kind kind_duration = { "TIME", NULL, parse_duration, print_duration };
const struct value_kind kind_limit = { "N", NULL, parse_limit, print_number };
const struct value_kind kind_size = { "off|auto|N", NULL, parse_size, print_size };
const struct value_kind kind_path = { "DIR", NULL, parse_path, print_path };
