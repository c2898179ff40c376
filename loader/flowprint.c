/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "flowprint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>

#include "flowlist.h"
#include "json.h"

enum { END_TEXT = 24, NUMBER_TEXT = 16, OBJECT_TEXT = 1024 };

static void print_end(char text[END_TEXT], __be32 addr, __be16 port, bool with_port)
{
	const unsigned char *a = (const unsigned char *)&addr;

	if (with_port)
		snprintf(text, END_TEXT, "%u.%u.%u.%u:%u", a[0], a[1], a[2], a[3], ntohs(port));
	else
		snprintf(text, END_TEXT, "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
}

/* 5 digits are enough for a person: 12345, 123k, 1.2M */
static void print_short(char text[NUMBER_TEXT], uint64_t number)
{
	static const char units[] = " kMGTPE";
	double shown = number;
	int unit = 0;

	while (shown >= 99999.5 || (unit && shown >= 999.5)) {
		shown /= 1000;
		unit++;
	}
	if (!unit)
		snprintf(text, NUMBER_TEXT, "%" PRIu64, number);
	else
		snprintf(text, NUMBER_TEXT, shown < 9.95 ? "%.1f%c" : "%.0f%c", shown, units[unit]);
}

static double expires_in(const struct flow_printer *printer, const struct flow_view *view)
{
	enum natxdp_timeout timeout = natxdp_state_timeout(flow_view_state(view));
	uint32_t idle = flow_view_idle(view, printer->now), all = printer->config->timeout[timeout];

	return idle < all ? table_seconds(all - idle) : 0;
}

static void print_flow_line(const struct flow_printer *printer, const struct flow_view *view)
{
	const struct natxdp_flow *out = &view->out;
	char inside[END_TEXT], external[END_TEXT], destination[END_TEXT], proto[PROTO_TEXT];
	char packets[2][NUMBER_TEXT], bytes[2][NUMBER_TEXT];
	bool ports = flow_proto_has_ports(out->key.proto);

	flow_proto_text(out->key.proto, proto);
	print_end(inside, out->key.saddr, out->key.sport, ports);
	print_end(external, out->new_saddr, out->new_sport, ports);
	print_end(destination, out->key.daddr, out->key.dport,
		  ports && out->key.proto != IPPROTO_ICMP);
	print_short(packets[0], out->packets);
	print_short(bytes[0], out->bytes);
	print_short(packets[1], view->in.packets);
	print_short(bytes[1], view->in.bytes);
	fprintf(printer->out, "%-5s %-21s %-21s %-21s %-11s %7s %7s %7s %7s %8.1f %7.1f %7.1f",
		proto, inside, external, destination, flow_state_names[flow_view_state(view)],
		packets[0], bytes[0], packets[1], bytes[1],
		table_seconds(flow_view_age(view, printer->now)),
		table_seconds(flow_view_idle(view, printer->now)), expires_in(printer, view));
	if (out->flags & NATXDP_FLOW_HAIRPIN) {
		print_end(inside, out->new_daddr, out->new_dport, true);
		fprintf(printer->out, "  hairpin to %s", inside);
	}
	fputc('\n', printer->out);
}

/* Flows hold a mapping; one with a remote address says who may send. */
static void print_mapping_line(const struct flow_printer *printer, const struct flow_view *view)
{
	const struct natxdp_flow *out = &view->out;
	char inside[END_TEXT], external[END_TEXT], remote[END_TEXT] = "any", proto[PROTO_TEXT];
	bool ports = flow_proto_has_ports(out->key.proto);

	flow_proto_text(out->key.proto, proto);
	print_end(inside, out->key.saddr, out->key.sport, ports);
	print_end(external, out->new_saddr, out->new_sport, ports);
	if (out->key.daddr)
		print_end(remote, out->key.daddr, 0, false);
	fprintf(printer->out, "%-5s %-21s %-21s %-15s %7" PRIu64 " %8.1f\n", proto, inside,
		external, remote, (uint64_t)out->packets,
		table_seconds(flow_view_age(view, printer->now)));
}

static void add_end(cJSON *object, const char *name, __be32 addr, const char *number_name,
		    __be16 number)
{
	cJSON *end = cJSON_AddObjectToObject(object, name);
	char text[END_TEXT];

	print_end(text, addr, 0, false);
	cJSON_AddStringToObject(end, "address", text);
	if (number_name)
		json_add_count(end, number_name, ntohs(number));
}

static void add_direction(cJSON *object, const char *name, const struct natxdp_flow *flow)
{
	cJSON *direction = cJSON_AddObjectToObject(object, name);

	json_add_count(direction, "packets", flow->packets);
	json_add_count(direction, "bytes", flow->bytes);
}

/* cJSON takes longest for numbers with decimals: print them here. */
static void add_seconds(cJSON *object, const char *name, double seconds)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3f", seconds);
	cJSON_AddRawToObject(object, name, text);
}

static const char *number_name(uint8_t proto)
{
	if (!flow_proto_has_ports(proto))
		return NULL;
	return proto == IPPROTO_ICMP ? "identifier" : "port";
}

/* What flows and mappings have in common. */
static cJSON *new_object(const struct natxdp_flow *out)
{
	const char *number = number_name(out->key.proto);
	cJSON *object = cJSON_CreateObject();
	char proto[PROTO_TEXT];

	flow_proto_text(out->key.proto, proto);
	cJSON_AddStringToObject(object, "proto", proto);
	json_add_count(object, "proto_number", out->key.proto);
	add_end(object, "inside", out->key.saddr, number, out->key.sport);
	add_end(object, "external", out->new_saddr, number, out->new_sport);
	return object;
}

static cJSON *flow_object(const struct flow_printer *printer, const struct flow_view *view)
{
	const struct natxdp_flow *out = &view->out;
	const char *number = number_name(out->key.proto);
	cJSON *object = new_object(out);

	add_end(object, "destination", out->key.daddr,
		out->key.proto == IPPROTO_ICMP ? NULL : number, out->key.dport);
	cJSON_AddBoolToObject(object, "hairpin", out->flags & NATXDP_FLOW_HAIRPIN);
	if (out->flags & NATXDP_FLOW_HAIRPIN)
		add_end(object, "hairpin_to", out->new_daddr, number, out->new_dport);
	cJSON_AddStringToObject(object, "state", flow_state_names[flow_view_state(view)]);
	add_direction(object, "out", out);
	add_direction(object, "in", &view->in);
	add_seconds(object, "age_seconds", table_seconds(flow_view_age(view, printer->now)));
	add_seconds(object, "idle_seconds", table_seconds(flow_view_idle(view, printer->now)));
	add_seconds(object, "expires_in_seconds", expires_in(printer, view));
	return object;
}

static cJSON *mapping_object(const struct flow_printer *printer, const struct flow_view *view)
{
	const struct natxdp_flow *out = &view->out;
	cJSON *object = new_object(out);

	if (out->key.daddr)
		add_end(object, "remote", out->key.daddr, NULL, 0);
	else
		cJSON_AddNullToObject(object, "remote");
	json_add_count(object, "flows", out->packets);
	add_seconds(object, "age_seconds", table_seconds(flow_view_age(view, printer->now)));
	return object;
}

static int print_object(const struct flow_printer *printer, const struct flow_view *view)
{
	cJSON *object = (printer->mappings ? mapping_object : flow_object)(printer, view);
	char text[OBJECT_TEXT];
	int ret = 0;

	if (cJSON_PrintPreallocated(object, text, sizeof(text), false))
		fprintf(printer->out, "%s%s", printer->count ? ",\n" : "", text);
	else
		ret = -ENOMEM;
	cJSON_Delete(object);
	return ret;
}

void flow_print_begin(struct flow_printer *printer)
{
	if (printer->json)
		fputs("[", printer->out);
	else if (printer->mappings)
		fprintf(printer->out, "%-5s %-21s %-21s %-15s %7s %8s\n", "PROTO", "INSIDE",
			"EXTERNAL", "REMOTE", "FLOWS", "AGE");
	else
		fprintf(printer->out, "%-5s %-21s %-21s %-21s %-11s %7s %7s %7s %7s %8s %7s %7s\n",
			"PROTO", "INSIDE", "EXTERNAL", "DESTINATION", "STATE", "OUT-PKT", "OUT-B",
			"IN-PKT", "IN-B", "AGE", "IDLE", "EXPIRES");
}

int flow_print(struct flow_printer *printer, const struct flow_view *view)
{
	int ret = 0;

	if (printer->json)
		ret = print_object(printer, view);
	else if (printer->mappings)
		print_mapping_line(printer, view);
	else
		print_flow_line(printer, view);
	printer->count += !ret;
	return ret;
}

void flow_print_end(struct flow_printer *printer)
{
	if (printer->json)
		fputs("]\n", printer->out);
}
