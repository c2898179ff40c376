/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "flowprint.h"

#include <arpa/inet.h>
#include <inttypes.h>

#include "flowjson.h"
#include "flowlist.h"
#include "tunnels.h"

enum { END_TEXT = 24, NUMBER_TEXT = 16 };

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

uint32_t flow_print_expires_in(const struct flow_printer *printer, const struct flow_view *view)
{
	enum natxdp_timeout timeout = natxdp_state_timeout(flow_view_state(view));
	uint32_t idle = flow_view_idle(view, printer->now), all = printer->config->timeout[timeout];

	return idle < all ? all - idle : 0;
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
		table_seconds(flow_view_idle(view, printer->now)),
		table_seconds(flow_print_expires_in(printer, view)));
	if (out->flags & NATXDP_FLOW_HAIRPIN) {
		print_end(inside, out->new_daddr, out->new_dport, true);
		fprintf(printer->out, "  hairpin to %s", inside);
	}
	if (printer->tunnels && natxdp_is_tunnel(out->key.tenant)) {
		struct tunnel_id id;

		tunnel_read_id(&printer->tunnels[out->key.tenant], &id);
		fprintf(printer->out, "  endpoint %016" PRIx64 " cookie %08x", id.endpoint,
			ntohl(natxdp_label(out).cookie));
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

static void print_object(const struct flow_printer *printer, const struct flow_view *view)
{
	char text[FLOW_JSON_SIZE + 2] = ",\n";
	size_t skip = printer->count ? 0 : 2, len = flow_json(text + 2, printer, view) + 2;

	fwrite(text + skip, 1, len - skip, printer->out);
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

void flow_print(struct flow_printer *printer, const struct flow_view *view)
{
	if (printer->json)
		print_object(printer, view);
	else if (printer->mappings)
		print_mapping_line(printer, view);
	else
		print_flow_line(printer, view);
	printer->count++;
}

void flow_print_end(struct flow_printer *printer)
{
	if (printer->json)
		fputs("]\n", printer->out);
}
