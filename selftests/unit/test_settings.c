/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The configuration file: the format, the messages, the shipped example. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
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
				   "tcp_midstream = drop\ntcp_closing_timeout = 0.25\n",
				   &err),
			 0);
	before = now;
	file = open_memstream(&text, &size);
	settings_print(&now, file);
	fclose(file);
	settings_init(&now);
	assert_int_equal(settings_read(&now, file_with(text), NULL, &err), 0);
	assert_memory_equal(&now, &before, sizeof(now));
	free(text);
}

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
	assert_memory_equal(&now, &before, sizeof(now));
	for (const struct setting *s = settings_table; s->key; s++) {
		file = fopen(EXAMPLE, "r");
		found = 0;
		while (fgets(line, sizeof(line), file))
			found += sscanf(line, "%63[a-z_] =", key) == 1 && !strcmp(key, s->key);
		fclose(file);
		assert_int_equal(found, 1);
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
		cmocka_unit_test(contradictions_are_found),
		cmocka_unit_test(ticks_round_up),
		cmocka_unit_test(host_ports_are_bits),
	};

	return cmocka_run_group_tests(tests, NULL, remove_file);
}
