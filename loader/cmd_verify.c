/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "err.h"
#include "json.h"
#include "options.h"
#include "privilege.h"
#include "recall.h"
#include "lastload.h"
#include "verify.h"
#include "wire.h"

struct arguments {
	struct options options;
	bool repair;
	bool probe;
	struct wire wire;
};

enum { KEY_REPAIR = 'r', KEY_PROBE = 'p' };

static const struct argp_option own_options[] = {
	{ "repair", KEY_REPAIR, NULL, 0,
	  "where it differs from what was asked for, load again as it was loaded (every flow goes "
	  "on), and verify that",
	  1 },
	{ "probe", KEY_PROBE, "ADDR[:PORT]", 0,
	  "also send a packet over the wire to this target, and wait for its answer: an echo "
	  "request, or with a port a SYN",
	  1 },
	{ 0 },
};

static const char doc[] =
	"Prove that the NAT is the one that was asked for, and that it translates: pins, attached "
	"programs, their code, the configuration in the maps, sysctls, the timer that expires "
	"flows, the watcher, and a packet through the live programs and back, without a wire. The "
	"packet is UDP from the end of the first inside prefix to a documentation address, port 9; "
	"it counts like any other and its flow stays until it times out. What was asked for is what "
	"'natxdp reload' would load. Exit status 0: well, 9: it differs, 10: it does not "
	"translate.\v"
	"Examples:\n"
	"  natxdp verify\n"
	"  natxdp verify --repair --json\n"
	"  natxdp verify --probe 192.0.2.53:443    through the NAT to a server and back";

static const char *const kind_names[] = {
	[FINDING_OK] = "ok",
	[FINDING_NOTE] = "note",
	[FINDING_DRIFT] = "drift",
	[FINDING_BROKEN] = "broken",
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->options;
		return 0;
	case KEY_REPAIR:
		arguments->repair = true;
		return 0;
	case KEY_PROBE:
		if (!wire_parse(&arguments->wire, arg))
			argp_error(state, "--probe %s: needs an IPv4 address, or ADDR:PORT", arg);
		arguments->probe = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int print_json(const struct verification *verification, bool repaired)
{
	cJSON *object = cJSON_CreateObject(), *list, *item;

	cJSON_AddStringToObject(object, "result", kind_names[verification_worst(verification)]);
	cJSON_AddBoolToObject(object, "repaired", repaired);
	list = cJSON_AddArrayToObject(object, "checks");
	for (unsigned int i = 0; i < verification->count; i++) {
		const struct finding *f = &verification->item[i];

		item = cJSON_CreateObject();
		cJSON_AddStringToObject(item, "check", f->check);
		cJSON_AddStringToObject(item, "result", kind_names[f->kind]);
		cJSON_AddStringToObject(item, "what", f->what);
		cJSON_AddStringToObject(item, "found", f->found);
		cJSON_AddStringToObject(item, "needed", f->needed);
		cJSON_AddItemToArray(list, item);
	}
	return json_print(object);
}

static void print_text(const struct verification *verification)
{
	for (unsigned int i = 0; i < verification->count; i++) {
		const struct finding *f = &verification->item[i];

		printf("%-7s %s", kind_names[f->kind], f->check);
		if (*f->what)
			printf(" %s", f->what);
		if (*f->found)
			printf(": %s", f->found);
		if (*f->needed)
			printf("; needed: %s", f->needed);
		putchar('\n');
	}
}

static int conclude(const struct verification *verification, struct err *err)
{
	switch (verification_worst(verification)) {
	case FINDING_DRIFT:
		return err_set(err, STATUS_DRIFT, EPROTO,
			       "the NAT differs from what was asked for: 'natxdp verify --repair' "
			       "loads it again, and keeps every flow");
	case FINDING_BROKEN:
		return err_set(err, STATUS_BROKEN, EPROTO,
			       "the NAT does not translate as it should: 'natxdp verify --repair' "
			       "tries to load it again; if that does not help, 'natxdp unload --all' "
			       "and load");
	case FINDING_OK:
	case FINDING_NOTE:
		break;
	}
	return 0;
}

static int repair(struct verification *verification, const char *pin_dir, struct wire *wire,
		  struct err *err)
{
	struct lastload last;
	int ret;

	ret = lastload_read(&last, pin_dir, err);
	if (ret)
		return ret;
	ret = load_again(&last, err);
	lastload_free(&last);
	return ret ? ret : verify(verification, pin_dir, wire, err);
}

int cmd_verify(int argc, char **argv, struct err *err)
{
	const struct argp_child children[] = { { &options_common, 0, NULL, 0 }, { 0 } };
	const struct argp argp = { own_options, parse, NULL, doc, children, NULL, NULL };
	struct arguments arguments = { 0 };
	struct verification *verification;
	struct wire *wire;
	char pin_dir[PIN_DIR_MAX];
	bool repaired = false;
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	ret = options_find_pin_dir(&arguments.options, pin_dir, err);
	if (!ret)
		ret = privilege_check(err);
	if (ret)
		return ret;
	verification = malloc(sizeof(*verification));
	if (!verification)
		return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	wire = arguments.probe ? &arguments.wire : NULL;
	ret = verify(verification, pin_dir, wire, err);
	if (!ret && arguments.repair && verification_worst(verification) >= FINDING_DRIFT) {
		ret = repair(verification, pin_dir, wire, err);
		repaired = !ret;
	}
	if (ret)
		goto free;
	if (arguments.options.json)
		ret = print_json(verification, repaired);
	else
		print_text(verification);
	if (!ret)
		ret = conclude(verification, err);
free:
	free(verification);
	return ret;
}
