/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "log.h"
#include "profile.h"

enum option_key {
	KEY_CONFIG = 'c',
	KEY_JSON = 'j',
	KEY_VERBOSE = 'v',
	KEY_PIN_DIR = 'p',
	KEY_SETTING = 0x100, /* plus the index in settings_table */
};

enum { NAME_MAX_LEN = 32, DOC_MAX = 320 };

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_CONFIG:
		options->config = arg;
		return 0;
	case KEY_JSON:
		options->json = true;
		return 0;
	case KEY_VERBOSE:
		options->verbose = true;
		log_init(true);
		return 0;
	case KEY_PIN_DIR:
		options->pin_dir = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option common_options[] = {
	{ NULL, 0, NULL, 0, "Common options:", 90 },
	{ "config", KEY_CONFIG, "FILE", 0, "configuration (default " SETTINGS_FILE ", if there)",
	  90 },
	{ "pin-dir", KEY_PIN_DIR, "DIR", 0,
	  "which NAT: where it is pinned (default $NATXDP_PIN_DIR or /sys/fs/bpf/natxdp)", 90 },
	{ "json", KEY_JSON, NULL, 0, "print JSON", 90 },
	{ "verbose", KEY_VERBOSE, NULL, 0, "show what libbpf and the kernel say", 90 },
	{ 0 },
};

const struct argp options_common = { .options = common_options, .parser = parse_common };

static error_t parse_setting(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	if (key < KEY_SETTING || key >= KEY_SETTING + SETTINGS_MAX)
		return ARGP_ERR_UNKNOWN;
	options->value[key - KEY_SETTING] = arg ? arg : "on";
	return 0;
}

static void write_doc(char doc[DOC_MAX], const struct setting *setting)
{
	const char *aws = setting->initial, *rfc = profile_default(PROFILE_RFC, setting);

	if (rfc == aws)
		snprintf(doc, DOC_MAX, "%s (default %s)", setting->help, aws);
	else
		snprintf(doc, DOC_MAX, "%s (default %s; of profile rfc: %s)", setting->help, aws,
			 rfc);
}

const struct argp *options_settings(void)
{
	static struct argp_option list[SETTINGS_MAX + 2];
	static char name[SETTINGS_MAX][NAME_MAX_LEN], doc[SETTINGS_MAX][DOC_MAX];
	static const struct argp argp = { .options = list, .parser = parse_setting };
	unsigned int count = 0;

	list[count++] = (struct argp_option){ .doc = "Settings, also keys of the configuration:",
					      .group = 10 };
	for (unsigned int i = 0; i < SETTINGS_MAX && settings_table[i].key; i++) {
		const struct setting *s = &settings_table[i];

		if (!strcmp(s->key, "pin_dir")) /* a common option */
			continue;
		snprintf(name[i], sizeof(name[i]), "%s", s->key);
		for (char *c = name[i]; *c; c++) {
			if (*c == '_')
				*c = '-';
		}
		write_doc(doc[i], s);
		list[count++] = (struct argp_option){
			.name = name[i],
			.key = KEY_SETTING + i,
			.arg = s->kind->metavar,
			.flags = s->kind == &kind_flag ? OPTION_ARG_OPTIONAL : 0,
			.doc = doc[i],
			.group = 10,
		};
	}
	return &argp;
}

/* A file that is not named on the command line may be missing. */
static int read_file(const struct options *options, struct settings *settings, const char *only,
		     struct err *err)
{
	const char *path = options->config ? options->config : SETTINGS_FILE;

	if (!options->config && access(path, F_OK))
		return 0;
	return settings_read(settings, path, only, err);
}

static int set_pin_dir(const struct options *options, struct settings *settings, struct err *err)
{
	const struct setting *setting = settings_find("pin_dir");
	const char *environment = getenv("NATXDP_PIN_DIR");

	if (options->pin_dir)
		return settings_set(settings, setting, options->pin_dir, "--pin-dir", err);
	if (environment && *environment)
		return settings_set(settings, setting, environment, "NATXDP_PIN_DIR", err);
	return 0;
}

int options_make_settings(const struct options *options, struct settings *settings, struct err *err)
{
	int ret;

	settings_init(settings);
	ret = read_file(options, settings, NULL, err);
	for (unsigned int i = 0; !ret && i < SETTINGS_MAX && settings_table[i].key; i++) {
		if (options->value[i])
			ret = settings_set(settings, &settings_table[i], options->value[i],
					   "command line", err);
	}
	if (!ret)
		ret = set_pin_dir(options, settings, err);
	if (ret)
		return ret;
	profile_apply(settings);
	return settings_check(settings, err);
}

int options_find_pin_dir(const struct options *options, char pin_dir[PIN_DIR_MAX], struct err *err)
{
	struct settings *settings = malloc(sizeof(*settings));
	int ret = 0;

	if (!settings)
		return err_set(err, STATUS_SYSTEM, 0, "out of memory");
	settings_init(settings);
	ret = set_pin_dir(options, settings, err);
	/* only if nothing else says it: so a broken file does not stop `unload` */
	if (!ret && !options->pin_dir && !getenv("NATXDP_PIN_DIR"))
		ret = read_file(options, settings, "pin_dir", err);
	if (!ret)
		memcpy(pin_dir, settings->pin_dir, PIN_DIR_MAX);
	free(settings);
	return ret;
}

static error_t parse_nothing(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key == ARGP_KEY_INIT) {
		state->child_inputs[0] = state->input;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int options_parse_simple(int argc, char **argv, const char *doc, struct options *options,
			 char pin_dir[PIN_DIR_MAX], struct err *err)
{
	const struct argp_child children[] = { { &options_common, 0, NULL, 0 }, { 0 } };
	const struct argp argp = { .parser = parse_nothing, .doc = doc, .children = children };

	argp_parse(&argp, argc, argv, 0, NULL, options);
	return options_find_pin_dir(options, pin_dir, err);
}
