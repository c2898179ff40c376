/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "nicfix.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "err.h"
#include "log.h"
#include "nic.h"
#include "nicrules.h"
#include "plan.h"
#include "rundir.h"
#include "settings.h"

enum fix_kind { FIX_MTU, FIX_QUEUES, FIX_LRO, FIX_KINDS };

enum { FIXES_MAX = NATXDP_DEVS_MAX * FIX_KINDS };

struct fix {
	char iface[IFNAMSIZ];
	enum fix_kind kind;
	uint32_t was;
	uint32_t wanted; /* not saved */
};

struct fix_list {
	unsigned int count;
	struct fix item[FIXES_MAX];
};

static const char *const kind_names[FIX_KINDS] = { "mtu", "queues", "lro" };

static int set(const struct fix *fix, uint32_t value)
{
	switch (fix->kind) {
	case FIX_MTU:
		return nic_set_mtu(fix->iface, value);
	case FIX_QUEUES:
		return nic_set_queues(fix->iface, value);
	case FIX_LRO:
		return nic_set_lro(fix->iface, value);
	case FIX_KINDS:
		break;
	}
	return -EINVAL;
}

static void add(struct fix_list *list, const char *iface, enum fix_kind kind, uint32_t was,
		uint32_t wanted)
{
	struct fix *fix = &list->item[list->count++];

	snprintf(fix->iface, sizeof(fix->iface), "%s", iface);
	fix->kind = kind;
	fix->was = was;
	fix->wanted = wanted;
}

static int read_saved(const char *path, struct fix_list *saved, uint64_t *netns)
{
	char iface[IFNAMSIZ], name[16];
	FILE *file = fopen(path, "re");
	unsigned int was;

	saved->count = 0;
	if (!file)
		return -errno;
	if (fscanf(file, "netns %" SCNu64 "\n", netns) != 1)
		*netns = 0;
	while (saved->count < FIXES_MAX && fscanf(file, "%15s %15s %u\n", iface, name, &was) == 3) {
		for (enum fix_kind kind = 0; kind < FIX_KINDS; kind++) {
			if (!strcmp(name, kind_names[kind]))
				add(saved, iface, kind, was, was);
		}
	}
	fclose(file);
	return 0;
}

/* Whole or not at all: written beside, then renamed. */
static int write_saved(const char *path, const struct fix_list *saved)
{
	char fresh[RUN_PATH_MAX + 8];
	FILE *file;
	int ret;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	file = fopen(fresh, "we");
	if (!file)
		return -errno;
	fprintf(file, "netns %" PRIu64 "\n", rundir_net_namespace());
	for (unsigned int i = 0; i < saved->count; i++)
		fprintf(file, "%s %s %u\n", saved->item[i].iface, kind_names[saved->item[i].kind],
			saved->item[i].was);
	ret = fflush(file) || fsync(fileno(file)) ? -errno : 0;
	if (fclose(file) && !ret)
		ret = -errno;
	if (!ret && rename(fresh, path))
		ret = -errno;
	if (ret)
		unlink(fresh);
	return ret;
}

static bool is_saved(const struct fix_list *saved, const struct fix *fix)
{
	for (unsigned int i = 0; i < saved->count; i++) {
		if (saved->item[i].kind == fix->kind && !strcmp(saved->item[i].iface, fix->iface))
			return true;
	}
	return false;
}

static int find_wanted(const struct plan *plan, struct fix_list *wanted, struct err *err)
{
	struct utsname kernel;
	struct nic_facts nic;
	struct nic_wants wants;
	int ret;

	wanted->count = 0;
	uname(&kernel);
	for (unsigned int i = 0; i < plan->dev_count; i++) {
		const char *name = plan->dev[i].name;

		ret = nic_look(&nic, name);
		if (ret)
			return err_set(err, STATUS_INTERFACE, ret, "%s: cannot look at it: %s",
				       name, strerror(-ret));
		nic_wants(&nic, nic_rule_find(nic.driver, nic.version, kernel.release),
			  !plan->settings->dispatcher, &wants);
		if (wants.mtu)
			add(wanted, name, FIX_MTU, nic.mtu, wants.mtu);
		if (wants.queues)
			add(wanted, name, FIX_QUEUES, nic.queues, wants.queues);
		if (wants.lro_off)
			add(wanted, name, FIX_LRO, 1, 0);
	}
	return 0;
}

int nicfix_refuse(const struct plan *plan, struct err *err)
{
	struct utsname kernel;
	struct nic_facts nic;

	if (uname(&kernel))
		return 0;
	for (unsigned int i = 0; i < plan->dev_count; i++) {
		const struct nic_rule *rule;

		/* who cannot be asked is none of those */
		if (nic_look(&nic, plan->dev[i].name))
			continue;
		rule = nic_rule_find(nic.driver, nic.version, kernel.release);
		if (rule->refuse)
			return err_set(err, STATUS_KERNEL, EOPNOTSUPP,
				       "%s: driver %s %s: %s; or load with --hook tc", nic.name,
				       nic.driver, nic.version, rule->refuse);
	}
	return 0;
}

/* What an earlier load has saved stays as it was then. */
static int save(const char *path, const struct fix_list *wanted)
{
	uint64_t netns = rundir_net_namespace();
	struct fix_list saved;
	int ret;

	ret = read_saved(path, &saved, &netns);
	if (ret && ret != -ENOENT)
		return ret;
	for (unsigned int i = 0; i < wanted->count && saved.count < FIXES_MAX; i++) {
		if (!is_saved(&saved, &wanted->item[i]))
			saved.item[saved.count++] = wanted->item[i];
	}
	return write_saved(path, &saved);
}

int nicfix_apply(const struct plan *plan, struct err *err)
{
	char path[RUN_PATH_MAX];
	struct fix_list wanted;
	int ret;

	ret = find_wanted(plan, &wanted, err);
	if (ret || !wanted.count)
		return ret;
	rundir_path(path, plan->settings->pin_dir, "nic");
	ret = save(path, &wanted);
	if (ret)
		return err_set(err, STATUS_SYSTEM, ret, "%s: cannot save the NIC settings: %s",
			       path, strerror(-ret));
	for (unsigned int i = 0; i < wanted.count; i++) {
		const struct fix *fix = &wanted.item[i];

		ret = set(fix, fix->wanted);
		if (ret)
			return err_set(err, STATUS_INTERFACE, ret,
				       "%s: cannot change its %s from %u to %u: %s", fix->iface,
				       kind_names[fix->kind], fix->was, fix->wanted,
				       strerror(-ret));
		log_note("%s: %s changed from %u to %u; unload puts it back", fix->iface,
			 kind_names[fix->kind], fix->was, fix->wanted);
	}
	return 0;
}

int nicfix_restore(const char *pin_dir)
{
	uint64_t netns = 0;
	char path[RUN_PATH_MAX];
	struct fix_list saved;
	int ret;

	rundir_path(path, pin_dir, "nic");
	ret = read_saved(path, &saved, &netns);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	/* an interface that is gone took its settings with it, so errors say nothing here */
	while (netns == rundir_net_namespace() && saved.count) {
		const struct fix *fix = &saved.item[--saved.count];

		set(fix, fix->was);
	}
	unlink(path);
	return 0;
}
