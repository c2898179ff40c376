/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "verify.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "contents.h"
#include "counters.h"
#include "err.h"
#include "guard.h"
#include "instance.h"
#include "nat.h"
#include "pins.h"
#include "plan.h"
#include "probe.h"
#include "recall.h"
#include "lastload.h"
#include "rundir.h"
#include "settings.h"
#include "sysctl.h"
#include "watcher.h"
#include "wire.h"

enum {
	SWEEP_MS = 200, /* a tick is due every 2 ms */
	SWEEP_POLL_US = 1000,
};

/* What one verification works with. Large: on the heap. */
struct verifier {
	struct wire *wire; /* NULL: none is wanted */
	struct verification *result;
	const char *pin_dir;
	bool watcher_wanted;
	struct settings settings;
	char iface[IFNAMSIZ];
	struct plan plan;
	struct instance instance;
	struct nat nat;
	struct contents found;
	struct contents needed;
	struct difference differences[FINDINGS_MAX];
};

enum finding_kind verification_worst(const struct verification *verification)
{
	enum finding_kind worst = FINDING_OK;

	for (unsigned int i = 0; i < verification->count; i++) {
		if (verification->item[i].kind > worst)
			worst = verification->item[i].kind;
	}
	return worst;
}

/* When there is no room, the last place holds the latest. */
static struct finding *find(struct verifier *v, enum finding_kind kind, const char *check,
			    const char *what)
{
	struct verification *result = v->result;
	struct finding *finding;

	if (result->count < FINDINGS_MAX)
		result->count++;
	finding = &result->item[result->count - 1];
	memset(finding, 0, sizeof(*finding));
	finding->kind = kind;
	snprintf(finding->check, sizeof(finding->check), "%s", check);
	snprintf(finding->what, sizeof(finding->what), "%s", what);
	return finding;
}

static void say(char text[160], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(char text[160], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, 160, fmt, args);
	va_end(args);
}

/* A check that found nothing wrong says so, once. */
static void settle(struct verifier *v, unsigned int before, const char *check)
{
	if (v->result->count == before)
		find(v, FINDING_OK, check, "");
}

static void check_pins(struct verifier *v)
{
	unsigned int before = v->result->count;
	char path[PIN_PATH_MAX];
	struct finding *f;

	pins_flows_path(path, v->pin_dir);
	if (access(path, F_OK)) {
		f = find(v, FINDING_DRIFT, "pins", "flows");
		say(f->found, "missing");
		say(f->needed, "%s", path);
	}
	settle(v, before, "pins");
}

static bool wrong_hook(const struct verifier *v, const struct instance_link *link)
{
	return v->settings.hook == (link->hook == HOOK_TC ? HOOK_CHOICE_XDP : HOOK_CHOICE_TC);
}

static void check_link(struct verifier *v, const struct plan_dev *dev)
{
	const struct instance_link *link = instance_find(&v->instance, dev->name);
	bool generic = v->settings.xdp_mode == XDP_MODE_GENERIC;
	struct attached attached;
	struct finding *f;

	if (!link || link->ifindex != dev->ifindex) {
		f = find(v, FINDING_BROKEN, "attachment", dev->name);
		say(f->found, "no program of this NAT");
		say(f->needed, "one: 'natxdp unload --all' and load again");
		return;
	}
	if (attach_query(link->hook, dev->ifindex, &attached) || attached.program != link->entry) {
		f = find(v, FINDING_BROKEN, "attachment", dev->name);
		say(f->found, "%s program id %u", hook_names[link->hook], attached.program);
		say(f->needed, "id %u, of this NAT", link->entry);
	} else if (wrong_hook(v, link)) {
		f = find(v, FINDING_DRIFT, "attachment", dev->name);
		say(f->found, "at %s", hook_names[link->hook]);
		say(f->needed, "hook = %s", link->hook == HOOK_TC ? "xdp" : "tc");
	} else if (link->hook == HOOK_XDP && attached.generic != generic) {
		f = find(v, FINDING_DRIFT, "attachment", dev->name);
		say(f->found, "%s XDP", attached.generic ? "generic" : "native");
		say(f->needed, "%s XDP: it changes by unload and load",
		    generic ? "generic" : "native");
	}
}

static void check_attachment(struct verifier *v)
{
	unsigned int before = v->result->count;
	struct finding *f;

	for (unsigned int i = 0; i < v->plan.dev_count; i++)
		check_link(v, &v->plan.dev[i]);
	if (v->instance.link_count > v->plan.dev_count) {
		f = find(v, FINDING_DRIFT, "attachment", "");
		say(f->found, "%u interfaces", v->instance.link_count);
		say(f->needed, "%u", v->plan.dev_count);
	}
	if (instance_is_half_moved(&v->instance, v->pin_dir)) {
		f = find(v, FINDING_DRIFT, "attachment", "");
		say(f->found, "something at both hooks, left by a load that was killed");
		say(f->needed, "one hook");
	}
	settle(v, before, "attachment");
}

static void program_tag(const struct verifier *v, unsigned int dev, char tag[TAG_TEXT])
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	*tag = '\0';
	if (!bpf_obj_get_info_by_fd(nat_program(&v->nat, attach_program_for(&v->plan, dev)), &info,
				    &size))
		instance_tag(info.id, tag);
}

static void check_guard(struct verifier *v)
{
	unsigned int before = v->result->count;
	struct finding *f;

	for (unsigned int i = 0; i < v->plan.dev_count; i++) {
		if (guard_is_on(&v->plan, i))
			continue;
		f = find(v, FINDING_DRIFT, "guard", v->plan.dev[i].name);
		say(f->found, "no filter at TC behind the program of the NAT");
		say(f->needed, "one, so that nothing leaves untranslated without the program");
	}
	settle(v, before, "guard");
}

/* The programs of this natxdp are loaded beside those that run, and compared. */
static void check_program(struct verifier *v)
{
	unsigned int before = v->result->count;
	char is[TAG_TEXT], be[TAG_TEXT];
	struct finding *f;
	struct err err;

	if (v->settings.dispatcher) { /* there is no second one to load and compare */
		f = find(v, FINDING_NOTE, "program", "");
		say(f->found, "behind the dispatcher of libxdp its code is not compared");
		return;
	}
	if (v->instance.link_count)
		v->nat.hook = v->instance.link[0].hook;
	if (nat_replace(&v->nat, false, &err)) {
		f = find(v, FINDING_BROKEN, "program", "");
		say(f->found, "%.150s", err.text);
		say(f->needed, "tables and a kernel that this version works with");
		return;
	}
	for (unsigned int i = 0; i < v->plan.dev_count; i++) {
		const struct instance_link *link = instance_find(&v->instance, v->plan.dev[i].name);

		if (!link)
			continue;
		instance_tag(link->program, is);
		program_tag(v, i, be);
		if (!strcmp(is, be))
			continue;
		f = find(v, FINDING_DRIFT, "program", link->name);
		say(f->found, "tag %s", is);
		say(f->needed, "tag %s, of this version", be);
	}
	settle(v, before, "program");
}

/* An address that an operator drains stays so until the next load. */
static void note_drain(__be32 address, void *data)
{
	struct verifier *v = data;
	char addr[INET_ADDRSTRLEN], what[64];
	struct finding *f;

	inet_ntop(AF_INET, &address, addr, sizeof(addr));
	snprintf(what, sizeof(what), "external %s", addr);
	f = find(v, FINDING_NOTE, "configuration", what);
	say(f->found, "draining");
	say(f->needed, "active: 'natxdp pools undrain %s', unless it was drained on purpose", addr);
}

static void check_shape(struct verifier *v)
{
	const struct natxdp_config *config = &v->found.config;
	struct finding *f;

	if (config->max_flows != v->settings.max_flows) {
		f = find(v, FINDING_DRIFT, "configuration", "max_flows");
		say(f->found, "%u", config->max_flows);
		say(f->needed, "%u", v->settings.max_flows);
	}
}

static int check_contents(struct verifier *v, struct err *err)
{
	unsigned int before = v->result->count, count;
	int ret;

	ret = nat_read(&v->nat, &v->found);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret, "the maps cannot be read: %s",
			       strerror(-ret));
	ret = nat_plan(&v->nat, &v->plan, &v->found, &v->needed, err);
	if (ret)
		return ret;
	v->needed.config.active = 1;
	check_shape(v);
	contents_keep_drains(&v->needed, &v->found, note_drain, v);
	count = contents_compare(&v->found, &v->needed, v->differences, FINDINGS_MAX);
	for (unsigned int i = 0; i < count && i < FINDINGS_MAX; i++) {
		const struct difference *d = &v->differences[i];
		struct finding *f = find(v, FINDING_DRIFT, "configuration", d->what);

		say(f->found, "%s", d->found);
		say(f->needed, "%s", d->needed);
	}
	settle(v, before, "configuration");
	return 0;
}

static int check_sysctls(struct verifier *v, struct err *err)
{
	unsigned int before = v->result->count;
	struct sysctl_list needed;
	char now[SYSCTL_VALUE_MAX];
	struct finding *f;
	int ret;

	ret = sysctl_needed(&v->plan, &needed, err);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < needed.count; i++) {
		const struct sysctl *sysctl = &needed.item[i];

		f = find(v, FINDING_DRIFT, "sysctls", sysctl->name);
		say(f->found, "%s", sysctl_get(sysctl->name, now) ? "?" : now);
		say(f->needed, "%s", sysctl->value);
	}
	settle(v, before, "sysctls");
	return 0;
}

/* Where the sweep is: any change means that it runs. */
static uint64_t sweep_place(const struct nat *nat)
{
	unsigned char state[64] = { 0 };
	struct natxdp_counters sum;
	__u32 zero = 0, cursor;

	bpf_map_lookup_elem(nat->map[NAT_MAP_sweep_state], &zero, state);
	memcpy(&cursor, state + sizeof(struct bpf_timer), sizeof(cursor));
	if (counters_read(nat, &sum))
		return cursor;
	return sum.events[NATXDP_EVENT_SWEEP_PASSES] << 32 | cursor;
}

static void check_sweep(struct verifier *v)
{
	uint64_t start = sweep_place(&v->nat);
	struct finding *f;

	for (int i = 0; i < SWEEP_MS * 1000 / SWEEP_POLL_US; i++) {
		if (sweep_place(&v->nat) != start) {
			find(v, FINDING_OK, "expiry", "");
			return;
		}
		nanosleep(&(struct timespec){ .tv_nsec = SWEEP_POLL_US * 1000 }, NULL);
	}
	f = find(v, FINDING_BROKEN, "expiry", "");
	say(f->found, "the sweep did not move for %d ms", SWEEP_MS);
	say(f->needed, "the timer of natxdp_arm");
}

static void check_watcher(struct verifier *v)
{
	struct finding *f;

	if (watcher_pid(v->pin_dir)) {
		find(v, FINDING_OK, "watcher", "");
		return;
	}
	f = find(v, v->watcher_wanted ? FINDING_DRIFT : FINDING_NOTE, "watcher", "");
	say(f->found, "not running");
	say(f->needed, "'natxdp watch', to follow routes, neighbours and addresses");
}

static void check_packet(struct verifier *v)
{
	char inside[INET_ADDRSTRLEN], outside[INET_ADDRSTRLEN], external[INET_ADDRSTRLEN];
	struct finding *f;
	struct probe probe;

	if (!probe_choose(&probe, &v->found)) {
		f = find(v, FINDING_NOTE, "packet", "");
		say(f->found, "no address is free for a test packet");
		say(f->needed,
		    "a documentation net that neither no_nat nor inside_prefixes covers, and an "
		    "external address that is neither draining nor in standby");
		return;
	}
	inet_ntop(AF_INET, &probe.inside, inside, sizeof(inside));
	inet_ntop(AF_INET, &probe.outside, outside, sizeof(outside));
	if (prove(&probe, &v->nat, &v->instance, &v->found.pool)) {
		f = find(v, FINDING_BROKEN, "packet", "");
		say(f->found, "%s", probe.why);
		say(f->needed, "UDP %s:%d to %s:%d translated, and its answer", inside, PROBE_PORT,
		    outside, PROBE_PORT);
		return;
	}
	f = find(v, FINDING_OK, "packet", "");
	inet_ntop(AF_INET, &probe.external, external, sizeof(external));
	say(f->found, "UDP %s:%d to %s:%d became %s:%u, and its answer came back%s", inside,
	    PROBE_PORT, outside, PROBE_PORT, external, ntohs(probe.external_port),
	    probe.via_kernel ? " (by the kernel: the neighbour is not known yet)" : "");
}

/* A target that does not answer may be to blame itself: still, it was asked for. */
static void check_wire(struct verifier *v)
{
	char target[INET_ADDRSTRLEN], external[INET_ADDRSTRLEN];
	struct wire *wire = v->wire;
	struct finding *f;
	struct probe probe;

	inet_ntop(AF_INET, &wire->target, target, sizeof(target));
	if (!probe_choose(&probe, &v->found)) {
		f = find(v, FINDING_NOTE, "wire", target);
		say(f->found, "no inside address is free for a test packet");
		return;
	}
	if (wire_run(wire, &probe, &v->instance, &v->nat, &v->plan)) {
		f = find(v, FINDING_BROKEN, "wire", target);
		say(f->found, "%s", wire->why);
		say(f->needed, "an answer of the target");
		return;
	}
	f = find(v, FINDING_OK, "wire", target);
	inet_ntop(AF_INET, &wire->external, external, sizeof(external));
	say(f->found, "it answered %s:%u within %u ms, and the answer was translated back",
	    external, ntohs(wire->external_port), wire->ms);
}

static bool has_word(const struct lastload *last, const char *word)
{
	for (int i = 0; i < last->argc; i++) {
		if (!strcmp(last->argv[i], word))
			return true;
	}
	return false;
}

/* What was asked for, as it comes out on this host now. */
static int recall(struct verifier *v, struct err *err)
{
	struct lastload last;
	int ret;

	ret = lastload_read(&last, v->pin_dir, err);
	if (ret)
		return ret;
	ret = load_recall(&last, &v->settings, v->iface, err);
	v->watcher_wanted = !has_word(&last, "--no-watch");
	lastload_free(&last);
	return ret ? ret : plan_make(&v->plan, &v->settings, v->iface, err);
}

static int check_all(struct verifier *v, struct err *err)
{
	struct finding *f;
	int ret;

	instance_look(&v->instance, v->pin_dir);
	if (v->instance.state == INSTANCE_NONE)
		return err_set(err, STATUS_NOT_LOADED, ENOENT,
			       "%s: no NAT is loaded here: 'natxdp load IFACE' loads one",
			       v->pin_dir);
	ret = recall(v, err);
	if (!ret)
		ret = nat_open(&v->nat, v->pin_dir, err);
	if (ret)
		return ret;
	if (v->instance.state == INSTANCE_REMAINS) {
		f = find(v, FINDING_BROKEN, "attachment", "");
		say(f->found, "remains of a NAT that does not translate");
		say(f->needed, "'natxdp load %s' again", v->iface);
	}
	check_pins(v);
	check_attachment(v);
	check_guard(v);
	check_program(v);
	ret = check_contents(v, err);
	if (!ret)
		ret = check_sysctls(v, err);
	if (ret)
		return ret;
	check_sweep(v);
	check_watcher(v);
	check_packet(v);
	return 0;
}

/*
 * Beside one that loads there are moments which are neither the NAT before nor the one after. So it
 * waits for that; and one that loads waits for what is looked at here, but not for a wire.
 */
static int check_alone(struct verifier *v, struct err *err)
{
	int lock = rundir_lock(v->pin_dir, LOCK_PATIENCE_MS, err), ret;

	if (lock < 0)
		return lock;
	ret = check_all(v, err);
	rundir_unlock(lock, v->pin_dir, !pins_exist(v->pin_dir));
	return ret;
}

int verify(struct verification *verification, const char *pin_dir, struct wire *wire,
	   struct err *err)
{
	struct verifier *v = calloc(1, sizeof(*v));
	int ret;

	if (!v)
		return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	memset(verification, 0, sizeof(*verification));
	v->result = verification;
	v->pin_dir = pin_dir;
	v->wire = wire;
	nat_init(&v->nat);
	ret = check_alone(v, err);
	if (!ret && wire)
		check_wire(v);
	nat_close(&v->nat);
	free(v);
	return ret;
}
