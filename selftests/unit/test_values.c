/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Every kind of value: what is taken, how it prints, what is refused and why. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "settings.h"

/* NULL where the text is refused */
static char *printed(const struct value_kind *kind, const char *text, struct reason *why)
{
	void *field = calloc(1, sizeof(struct settings));
	char *out = NULL;
	size_t size;
	FILE *file;

	assert_non_null(field);
	*why->text = '\0';
	if (!kind->parse(kind, text, field, why)) {
		file = open_memstream(&out, &size);
		kind->print(kind, field, file);
		fclose(file);
	} else {
		assert_true(*why->text); /* a refusal without a reason helps nobody */
	}
	free(field);
	return out;
}

static const struct good {
	const struct value_kind *kind;
	const char *text;
	const char *printed;
} goods[] = {
	{ &kind_external, "auto", "auto" },
	{ &kind_external, "192.0.2.1", "192.0.2.1" },
	{ &kind_external, " 192.0.2.1:1-2 ,192.0.2.2 ", "192.0.2.1:1-2,\n\t192.0.2.2" },
	{ &kind_external, "192.0.2.1:5000", "192.0.2.1:5000" },
	{ &kind_standby, "none", "none" },
	{ &kind_standby, "192.0.2.1 for  10.1.0.0/16 10.2.0.0/16,192.0.2.2:1-2 for 10.2.0.0/16",
	  "192.0.2.1 for 10.1.0.0/16 10.2.0.0/16,\n\t192.0.2.2:1-2 for 10.1.0.0/16 10.2.0.0/16" },
	{ &kind_ifaces, "none", "none" },
	{ &kind_ifaces, "eth1,eth0.100", "eth1, eth0.100" },
	{ &kind_prefixes, "auto", "auto" },
	{ &kind_prefixes, "none", "none" },
	{ &kind_prefixes, "10.0.0.0/8", "10.0.0.0/8" },
	{ &kind_prefixes, "0.0.0.0/0, 192.0.2.1", "0.0.0.0/0,\n\t192.0.2.1/32" },
	{ &kind_port_range, "1024-60999", "1024-60999" },
	{ &kind_port_range, "1-65535", "1-65535" },
	{ &kind_ports, "none", "none" },
	{ &kind_ports, "22, 68,61000-65535", "22, 68, 61000-65535" },
	{ &kind_flows, "1024", "1024" },
	{ &kind_flows, "16777216", "16777216" },
	{ &kind_duration, "350", "350" },
	{ &kind_duration, "1.5", "1.500" },
	{ &kind_duration, "0.1s", "0.100" },
	{ &kind_duration, "5m", "300" },
	{ &kind_duration, "168h", "604800" },
	{ &kind_midstream, "adopt", "adopt" },
	{ &kind_xdp_mode, "generic", "generic" },
	{ &kind_profile, "rfc", "rfc" },
	{ &kind_pooling, "arbitrary", "arbitrary" },
	{ &kind_switch, "on", "on" },
	{ &kind_others, "translate", "translate" },
	{ &kind_limit, "0", "0" },
	{ &kind_limit, "16777215", "16777215" },
	{ &kind_size, "off", "off" },
	{ &kind_size, "auto", "auto" },
	{ &kind_size, "68", "68" },
	{ &kind_size, "65535", "65535" },
	{ &kind_mapping, "endpoint-independent", "endpoint-independent" },
	{ &kind_mapping, "tcp:endpoint-dependent,udp:endpoint-independent",
	  "udp:endpoint-independent, tcp:endpoint-dependent" },
	{ &kind_mapping, "udp:endpoint-dependent, tcp:endpoint-dependent, icmp:endpoint-dependent",
	  "endpoint-dependent" },
	{ &kind_filtering, "icmp:address-dependent", "icmp:address-dependent" },
	{ &kind_path, "/sys/fs/bpf/x/", "/sys/fs/bpf/x" },
};

static void good_values_print_and_read_back(void **state)
{
	struct reason why;
	char *once, *twice;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(goods); i++) {
		once = printed(goods[i].kind, goods[i].text, &why);
		assert_non_null(once);
		assert_string_equal(once, goods[i].printed);
		for (char *c = once; *c; c++)
			*c = *c == '\n' || *c == '\t' ? ' ' :
							*c; /* as the file reader joins lines */
		twice = printed(goods[i].kind, once, &why);
		assert_non_null(twice);
		assert_string_equal(twice, goods[i].printed);
		free(once);
		free(twice);
	}
}

static const struct bad {
	const struct value_kind *kind;
	const char *text;
	const char *why; /* part of the reason */
} bads[] = {
	{ &kind_external, "", "empty" },
	{ &kind_external, "192.0.2.1,", "empty" },
	{ &kind_external, "192.0.2.1,,192.0.2.2", "empty" },
	{ &kind_external, "192.0.2.256", "not an IPv4 address" },
	{ &kind_external, "192.0.2.1.5.6.7.8.9.10", "not an IPv4 address" },
	{ &kind_external, "2001:db8::1", "not an IPv4 address" },
	{ &kind_external, "127.0.0.1", "cannot be the source" },
	{ &kind_external, "0.0.0.0", "cannot be the source" },
	{ &kind_external, "224.0.0.1", "cannot be the source" },
	{ &kind_standby, "192.0.2.1", "say for whom" },
	{ &kind_standby, "192.0.2.1 for", "for whom" },
	{ &kind_standby, "192.0.2.1 from 10.1.0.0/16", "say for whom" },
	{ &kind_standby, "192.0.2.1 for 10.1.0.1/16", "bits set after its prefix" },
	{ &kind_standby, "192.0.2.1 for 10.1.0.0/16, 192.0.2.1 for 10.2.0.0/16", "twice" },
	{ &kind_standby,
	  "192.0.2.1 for 10.1.0.0/16, 192.0.2.2 for 10.2.0.0/16, 192.0.2.3 for 10.1.0.0/16 10.2.0.0/16",
	  "with other prefixes" },
	{ &kind_external, "192.0.2.1, 192.0.2.1", "twice" },
	{ &kind_external, "192.0.2.1:0-5", "not a port" },
	{ &kind_external, "192.0.2.1:9-5", "upside down" },
	{ &kind_external, "192.0.2.1:", "not a port" },
	{ &kind_ifaces, "eth1, eth1", "twice" },
	{ &kind_ifaces, "waytoolonginterface", "too long" },
	{ &kind_ifaces, "a/b", "not the name" },
	{ &kind_prefixes, "10.0.0.1/8", "did you mean 10.0.0.0/8" },
	{ &kind_prefixes, "10.0.0.0/33", "prefix length" },
	{ &kind_prefixes, "10.0.0.0/", "prefix length" },
	{ &kind_prefixes, "10.0.0.0/8x", "prefix length" },
	{ &kind_prefixes, "10.0.0/8", "not an IPv4 address" },
	{ &kind_port_range, "70000", "not a port" },
	{ &kind_port_range, "-5", "not a port" },
	{ &kind_port_range, "5-", "not a port" },
	{ &kind_port_range, "1024-60999x", "not a port" },
	{ &kind_port_range, "1234567890-5", "not a port range" },
	{ &kind_ports, "22 23", "not a port" },
	{ &kind_flows, "1023", "1024 to 16777216" },
	{ &kind_flows, "16777217", "1024 to 16777216" },
	{ &kind_flows, "-1", "1024 to 16777216" },
	{ &kind_flows, "99999999999999999999999", "1024 to 16777216" },
	{ &kind_duration, "", "not a time" },
	{ &kind_duration, "0", "out of range" },
	{ &kind_duration, "0.01", "out of range" },
	{ &kind_duration, "169h", "out of range" },
	{ &kind_duration, "1.2.3", "not a time" },
	{ &kind_duration, "nan", "not a time" },
	{ &kind_duration, "inf", "not a time" },
	{ &kind_duration, "0x10", "not a time" },
	{ &kind_duration, "1e9", "not a time" },
	{ &kind_duration, "5ms", "not a time" },
	{ &kind_duration, "-5", "not a time" },
	{ &kind_midstream, "maybe", "reset|adopt|drop" },
	{ &kind_xdp_mode, "", "native|generic" },
	{ &kind_profile, "gcp", "aws|rfc" },
	{ &kind_switch, "yes", "off|on" },
	{ &kind_limit, "16777216", "not a limit" },
	{ &kind_limit, "-1", "not a limit" },
	{ &kind_size, "67", "68 to 65535" },
	{ &kind_size, "0", "68 to 65535" },
	{ &kind_size, "65536", "68 to 65535" },
	{ &kind_mapping, "", "not one of the choices" },
	{ &kind_mapping, "address-dependent", "not one of the choices" },
	{ &kind_mapping, "udp:", "not one of the choices" },
	{ &kind_mapping, "udp:sometimes", "'sometimes' is not one of the choices" },
	{ &kind_mapping, "gre:endpoint-dependent", "'gre' is not a protocol" },
	{ &kind_mapping, "u:endpoint-dependent", "'u' is not a protocol" },
	{ &kind_mapping, "udp:endpoint-dependent, udp:endpoint-dependent", "twice" },
	{ &kind_mapping, "udp:endpoint-dependent, endpoint-dependent", "for which protocol" },
	{ &kind_mapping, "endpoint-dependent, udp:endpoint-dependent", "for which protocol" },
	{ &kind_mapping, "udp:endpoint-dependent,", "empty" },
	{ &kind_path, "sys", "absolute" },
	{ &kind_path, "/", "plain" },
	{ &kind_path, "/a//b", "plain" },
	{ &kind_path, "/a/../b", "plain" },
};

static void bad_values_are_refused_with_a_reason(void **state)
{
	struct reason why;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bads); i++) {
		assert_null(printed(bads[i].kind, bads[i].text, &why));
		if (!strstr(why.text, bads[i].why))
			fail_msg("'%s': '%s' does not say '%s'", bads[i].text, why.text,
				 bads[i].why);
	}
}

/* One more than fits of each list. */
static void lists_have_an_end(void **state)
{
	static const struct {
		const struct value_kind *kind;
		int max;
	} lists[] = {
		{ &kind_external, NATXDP_POOL_MAX },
		{ &kind_ifaces, NATXDP_DEVS_MAX - 1 },
		{ &kind_prefixes, NATXDP_PREFIXES_MAX },
		{ &kind_ports, PORT_RANGES_MAX },
	};
	struct reason why;
	char *text, *out;
	size_t size;
	FILE *file;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		for (int extra = 0; extra < 2; extra++) {
			file = open_memstream(&text, &size);
			for (int n = 0; n < lists[i].max + extra; n++) {
				if (lists[i].kind == &kind_ifaces || lists[i].kind == &kind_ports)
					fprintf(file, "%s%d", n ? "," : "", n + 1);
				else
					fprintf(file, "%s192.0.%d.%d", n ? "," : "", n / 256,
						n % 256);
			}
			fclose(file);
			out = printed(lists[i].kind, text, &why);
			if (extra) {
				assert_null(out);
				assert_non_null(strstr(why.text, "more than"));
			} else {
				assert_non_null(out);
			}
			free(out);
			free(text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_values_print_and_read_back),
		cmocka_unit_test(bad_values_are_refused_with_a_reason),
		cmocka_unit_test(lists_have_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
