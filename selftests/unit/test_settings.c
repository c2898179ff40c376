/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The configuration file: the format, the messages, the shipped example. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "plan.h"
#include "profile.h"
#include "settings.h"

#define EXAMPLE "loader/natxdp.conf.example"

/* Returns the path of a file that holds @text; it lasts until the next call. */
static const char *file_with(const char *text)
{
	static char path[64];
	int fd;

	if (*path)
		unlink(path);
	strcpy(path, "/tmp/natxdp-unit-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

static struct settings now, before;

static int read_text(const char *text, struct err *err)
{
	settings_init(&now);
	before = now;
	return settings_read(&now, file_with(text), NULL, err);
}

static void a_file_sets_what_it_names(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(read_text("# a comment\n; another\n\n"
				   "max_flows = 4096\n"
				   "external=192.0.2.1:2000-3000,\n"
				   "\t192.0.2.2\n"
				   "udp_timeout = 1.5 ; seconds\n"
				   "inside = eth1",
				   &err),
			 0);
	assert_int_equal(now.max_flows, 4096);
	assert_int_equal(now.external.count, 2);
	assert_int_equal(now.external.item[0].ports.max, 3000);
	assert_false(now.external.item[1].has_ports);
	assert_int_equal(now.timeout_ms[NATXDP_TIMEOUT_UDP], 1500);
	assert_int_equal(now.timeout_ms[NATXDP_TIMEOUT_ICMP], 350000);
	assert_string_equal(now.inside.name[0], "eth1");
}

static void bad_files_change_nothing_and_say_where(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} bads[] = {
		{ "max_flows = 4096\nudp_timeout = soon\n", ":2: udp_timeout = soon: not a time" },
		{ "\n\nmaxflows = 5\n", ":3: maxflows: no such key" },
		{ "max_flows = 4096\nmax_flows = 5000\n", ":2: max_flows: given before in line 1" },
		{ "max_flows = 4096\nrubbish\n", ":2: not of the form" },
		{ "[nat]\nmax_flows = 4096\n", "no sections" },
		{ "external = 192.0.2.1,\n\t192.0.2.300\nmax_flows = 4096\n", ":1: external = " },
		{ "max_flows =\n", ":1: max_flows = : not a number" },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bads); i++) {
		err.status = STATUS_OK;
		assert_true(read_text(bads[i].text, &err) < 0);
		assert_int_equal(err.status, STATUS_CONFIG);
		if (!strstr(err.text, bads[i].says))
			fail_msg("'%s' does not say '%s'", err.text, bads[i].says);
		assert_memory_equal(&now, &before, sizeof(now));
	}
}

static void a_long_line_is_refused_and_not_cut(void **state)
{
	char text[400] = "no_nat = ";
	struct err err;

	(void)state;
	for (int i = 0; i < 25; i++)
		strcat(text, i ? ", 192.0.2.0/24" : "192.0.2.0/24");
	assert_true(read_text(text, &err) < 0);
	assert_non_null(strstr(err.text, ":1: the line is too long"));
}

static void many_lines_make_one_long_value(void **state)
{
	struct err err;
	char *text;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	(void)state;
	fputs("no_nat = 10.0.0.0/8", file);
	for (int i = 1; i < NATXDP_PREFIXES_MAX; i++)
		fprintf(file, ",\n\t10.%d.%d.0/24", i / 256, i % 256);
	fputs("\nmax_flows = 4096\n", file);
	fclose(file);
	assert_int_equal(read_text(text, &err), 0);
	assert_int_equal(now.no_nat.count, NATXDP_PREFIXES_MAX);
	assert_int_equal(now.max_flows, 4096);
	free(text);
}

static void a_missing_file_is_an_error(void **state)
{
	struct err err;

	(void)state;
	settings_init(&now);
	assert_true(settings_read(&now, "/nonexistent/natxdp.conf", NULL, &err) < 0);
	assert_non_null(strstr(err.text, "/nonexistent/natxdp.conf: cannot read"));
}

static void one_key_can_be_read_from_a_broken_file(void **state)
{
	struct err err;

	(void)state;
	settings_init(&now);
	assert_int_equal(settings_read(&now,
				       file_with("[x]\nrubbish\nudp_timeout = soon\n"
						 "no_such = 1\n\tmore\npin_dir = /sys/fs/bpf/y\n"),
				       "pin_dir", &err),
			 0);
	assert_string_equal(now.pin_dir, "/sys/fs/bpf/y");
	assert_int_equal(now.timeout_ms[NATXDP_TIMEOUT_UDP], 350000);
}

static void what_is_printed_reads_back_the_same(void **state)
{
	struct err err;
	char *text;
	size_t size;
	FILE *file;

	(void)state;
	assert_int_equal(read_text("external = 192.0.2.1:2000-3000, 192.0.2.2\nno_nat = none\n"
				   "inside = eth1, eth2\nhost_ports = 1,2,3,4,5,6,7,8,9,10-20\n"
				   "tcp_midstream = drop\ntcp_closing_timeout = 0.25\n"
				   "profile = rfc\nmapping = tcp:endpoint-dependent\n"
				   "egress_mtu = off\nmss_clamp = auto\nlimit_flows = 7\n",
				   &err),
			 0);
	profile_apply(&now);
	before = now;
	file = open_memstream(&text, &size);
	settings_print(&now, file);
	fclose(file);
	settings_init(&now);
	assert_int_equal(settings_read(&now, file_with(text), NULL, &err), 0);
	before.given = now.given; /* all of them now */
	profile_apply(&now);
	assert_memory_equal(&now, &before, sizeof(now));
	free(text);
}

/* Those that a profile sets are commented out, or `profile` would change nothing. */
static void the_example_shows_every_key_with_its_default(void **state)
{
	char line[256], key[64];
	struct err err;
	FILE *file;
	int found;

	(void)state;
	settings_init(&now);
	before = now;
	assert_int_equal(settings_read(&now, EXAMPLE, NULL, &err), 0);
	for (const struct setting *s = settings_table; s->key; s++) {
		bool by_profile = profile_default(PROFILE_RFC, s) != s->initial;

		assert_int_equal(settings_given(&now, s), !by_profile);
		file = fopen(EXAMPLE, "r");
		found = 0;
		while (fgets(line, sizeof(line), file)) {
			if (sscanf(line, by_profile ? "#%63[a-z0-9_] =" : "%63[a-z0-9_] =", key) !=
				    1 ||
			    strcmp(key, s->key))
				continue;
			found++;
			line[strcspn(line, "\n")] = '\0';
			assert_int_equal(settings_set(&now, s, strchr(line, '=') + 2, "test", &err),
					 0);
		}
		fclose(file);
		if (found != 1)
			fail_msg("%s stands %d times in " EXAMPLE, s->key, found);
	}
	now.given = 0;
	assert_memory_equal(&now, &before, sizeof(now));
}

/* The settings as a file with this text makes them. */
static int finish_text(const char *text, struct err *err)
{
	int ret = read_text(text, err);

	assert_int_equal(ret, 0);
	profile_apply(&now);
	return settings_check(&now, err);
}

static void a_profile_gives_defaults_and_nothing_more(void **state)
{
	static const char *const texts[] = {
		"profile = rfc\nudp_timeout = 77\n",
		"udp_timeout = 77\nprofile = rfc\n",
	};
	struct err err;

	(void)state;
	assert_int_equal(finish_text("", &err), 0);
	assert_int_equal(now.timeout_ms[NATXDP_TIMEOUT_UDP], 350000);
	assert_int_equal(now.timeout_ms[NATXDP_TIMEOUT_OTHER], 350000);
	assert_int_equal(now.tcp_midstream, NATXDP_MIDSTREAM_RESET);
	assert_true(now.inbound_refresh);
	assert_false(now.hairpin || now.pooling_arbitrary || now.other_protocols);
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		assert_int_equal(finish_text(texts[i], &err), 0);
		assert_int_equal(now.timeout_ms[NATXDP_TIMEOUT_UDP], 77000);
		assert_int_equal(now.timeout_ms[NATXDP_TIMEOUT_ICMP], 60000);
		assert_int_equal(now.timeout_ms[NATXDP_TIMEOUT_TCP_OPENING], 240000);
		assert_int_equal(now.timeout_ms[NATXDP_TIMEOUT_TCP_ESTABLISHED], 7440000);
		assert_int_equal(now.timeout_ms[NATXDP_TIMEOUT_TCP_CLOSING], 240000);
		assert_int_equal(now.tcp_midstream, NATXDP_MIDSTREAM_DROP);
		assert_true(now.hairpin);
		for (int class = 0; class < NATXDP_CLASSES; class ++)
			assert_int_equal(now.mapping.value[class],
					 NATXDP_MAPPING_ENDPOINT_INDEPENDENT);
		assert_int_equal(now.filtering.value[NATXDP_CLASS_TCP],
				 NATXDP_FILTERING_ENDPOINT_INDEPENDENT);
		assert_int_equal(now.filtering.value[NATXDP_CLASS_ICMP],
				 NATXDP_FILTERING_ENDPOINT_DEPENDENT);
	}
}

/* The default of filtering and hairpin gives way, a value that was given does not. */
static void defaults_follow_the_mapping(void **state)
{
	static const struct {
		const char *text;
		const char *refused; /* part of the reason, NULL: it is good */
		uint8_t udp_filtering, tcp_filtering;
		bool hairpin;
	} rows[] = {
		{ "profile = rfc\nmapping = endpoint-dependent\n", NULL, 0, 0, false },
		{ "profile = rfc\nmapping = tcp:endpoint-dependent\n", NULL,
		  NATXDP_FILTERING_ENDPOINT_INDEPENDENT, 0, true },
		{ "mapping = udp:endpoint-independent\n", NULL, 0, 0, false },
		{ "mapping = udp:endpoint-independent\nfiltering = udp:address-dependent\n", NULL,
		  NATXDP_FILTERING_ADDRESS_DEPENDENT, 0, false },
		{ "profile = rfc\nfiltering = udp:address-dependent\n", NULL,
		  NATXDP_FILTERING_ADDRESS_DEPENDENT, NATXDP_FILTERING_ENDPOINT_INDEPENDENT, true },
		{ "mapping = tcp:endpoint-independent\nhairpin = on\n", NULL, 0, 0, true },
		{ "hairpin = on\n", "hairpin = on: ", 0, 0, false },
		{ "mapping = icmp:endpoint-independent\nhairpin = on\n", "hairpin = on: ", 0, 0,
		  false },
		{ "profile = rfc\nmapping = endpoint-dependent\nhairpin = on\n",
		  "hairpin = on: ", 0, 0, false },
		{ "filtering = udp:address-dependent\n", "filtering = udp:address-dependent: ", 0,
		  0, false },
		{ "mapping = udp:endpoint-independent\nfiltering = endpoint-independent\n",
		  "filtering = tcp:endpoint-independent: ", 0, 0, false },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (!finish_text(rows[i].text, &err) == (rows[i].refused != NULL))
			fail_msg("'%s' is judged wrongly", rows[i].text);
		if (rows[i].refused && !strstr(err.text, rows[i].refused))
			fail_msg("'%s' does not say '%s'", err.text, rows[i].refused);
		if (rows[i].refused)
			continue;
		assert_int_equal(now.filtering.value[NATXDP_CLASS_UDP], rows[i].udp_filtering);
		assert_int_equal(now.filtering.value[NATXDP_CLASS_TCP], rows[i].tcp_filtering);
		assert_int_equal(now.hairpin, rows[i].hairpin);
	}
}

static void a_configuration_tells_its_profile(void **state)
{
	struct natxdp_config config = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(finish_text("", &err), 0);
	profile_configure(&config, &now);
	assert_int_equal(config.features, NATXDP_INBOUND_REFRESH);
	assert_string_equal(profile_of(&config), "aws");
	assert_int_equal(finish_text("profile = rfc\nlimit_flows = 5\n", &err), 0);
	profile_configure(&config, &now);
	assert_int_equal(config.features, NATXDP_INBOUND_REFRESH | NATXDP_HAIRPIN);
	assert_string_equal(profile_of(&config), "rfc");
	assert_int_equal(finish_text("profile = rfc\npooling = arbitrary\n", &err), 0);
	profile_configure(&config, &now);
	assert_string_equal(profile_of(&config), "custom");
}

static void sizes_come_from_the_interface(void **state)
{
	static const struct {
		const char *text;
		uint32_t dev_mtu, mtu, mss;
	} rows[] = {
		{ "", 1500, 1500, 0 },
		{ "", 9001, 1500, 0 },
		{ "mss_clamp = auto\n", 1400, 1400, 1360 },
		{ "mss_clamp = auto\n", 9001, 1500, 1460 },
		{ "mss_clamp = auto\negress_mtu = 8500\n", 9001, 8500, 8460 },
		{ "mss_clamp = auto\negress_mtu = off\n", 9001, 0, 8961 },
		{ "mss_clamp = 1200\negress_mtu = off\n", 9001, 0, 1200 },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(finish_text(rows[i].text, &err), 0);
		assert_int_equal(plan_egress_mtu(&now, rows[i].dev_mtu), rows[i].mtu);
		assert_int_equal(plan_mss_clamp(&now, rows[i].dev_mtu), rows[i].mss);
	}
}

static void contradictions_are_found(void **state)
{
	struct err err;

	(void)state;
	settings_init(&now);
	assert_int_equal(settings_check(&now, &err), 0);
	assert_int_equal(read_text("inside_prefixes = none\n", &err), 0);
	assert_true(settings_check(&now, &err) < 0);
	assert_int_equal(read_text("host_ports = 1-65535\n", &err), 0);
	assert_true(settings_check(&now, &err) < 0);
	assert_non_null(strstr(err.text, "port_range = 1024-60999"));
	assert_int_equal(read_text("external = 192.0.2.1\nstandby = 192.0.2.1 for 10.1.0.0/16\n",
				   &err),
			 0);
	assert_true(settings_check(&now, &err));
	assert_non_null(strstr(err.text, "named in external, too"));
	assert_int_equal(read_text("external = 192.0.2.1:22\n", &err), 0);
	assert_true(settings_check(&now, &err) < 0);
}

static void ticks_round_up(void **state)
{
	(void)state;
	assert_int_equal(settings_ticks(DURATION_MIN_MS), 6);
	assert_int_equal(settings_ticks(350000), 20862);
	assert_true(((uint64_t)settings_ticks(350000) << NATXDP_TICK_SHIFT) >= 350000000000ull);
	assert_int_equal(settings_ticks(DURATION_MAX_MS), 36048890);
}

static void host_ports_are_bits(void **state)
{
	struct natxdp_host_ports bits;
	unsigned int set = 0;

	(void)state;
	settings_init(&now);
	settings_host_ports(&now, &bits);
	for (int port = 0; port < 65536; port++)
		set += bits.word[port / 64] >> (port % 64) & 1;
	assert_int_equal(set, 2 + 4536);
	assert_true(bits.word[0] >> 22 & 1);
	assert_true(bits.word[65535 / 64] >> 63);
	assert_false(bits.word[60999 / 64] >> (60999 % 64) & 1);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(file_with(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_sets_what_it_names),
		cmocka_unit_test(bad_files_change_nothing_and_say_where),
		cmocka_unit_test(a_long_line_is_refused_and_not_cut),
		cmocka_unit_test(many_lines_make_one_long_value),
		cmocka_unit_test(a_missing_file_is_an_error),
		cmocka_unit_test(one_key_can_be_read_from_a_broken_file),
		cmocka_unit_test(what_is_printed_reads_back_the_same),
		cmocka_unit_test(the_example_shows_every_key_with_its_default),
		cmocka_unit_test(a_profile_gives_defaults_and_nothing_more),
		cmocka_unit_test(defaults_follow_the_mapping),
		cmocka_unit_test(a_configuration_tells_its_profile),
		cmocka_unit_test(sizes_come_from_the_interface),
		cmocka_unit_test(contradictions_are_found),
		cmocka_unit_test(ticks_round_up),
		cmocka_unit_test(host_ports_are_bits),
	};

	return cmocka_run_group_tests(tests, NULL, remove_file);
}
