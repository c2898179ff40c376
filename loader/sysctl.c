/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "plan.h"
#include "rundir.h"
#include "settings.h"

static void path_of(char *path, size_t size, const char *name)
{
	snprintf(path, size, "/proc/sys/%s", name);
}

int sysctl_get(const char *name, char value[SYSCTL_VALUE_MAX])
{
	char path[SYSCTL_NAME_MAX + 16];
	FILE *file;

	path_of(path, sizeof(path), name);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	if (!fgets(value, SYSCTL_VALUE_MAX, file))
		*value = '\0';
	value[strcspn(value, "\n")] = '\0';
	fclose(file);
	return 0;
}

static int set(const struct sysctl *sysctl)
{
	char path[SYSCTL_NAME_MAX + 16];
	size_t len = strlen(sysctl->value);
	int fd, ret = 0;

	path_of(path, sizeof(path), sysctl->name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, sysctl->value, len) != (ssize_t)len)
		ret = errno ? -errno : -EIO;
	close(fd);
	return ret;
}

static struct sysctl *add(struct sysctl_list *list, const char *fmt, const char *iface)
{
	struct sysctl *item = &list->item[list->count++];

	snprintf(item->name, sizeof(item->name), fmt, iface);
	return item;
}

/* Keeps the entry that was added last only if its value differs from the one of now. */
static int keep_if_wrong(struct sysctl_list *list, struct err *err)
{
	struct sysctl *item = &list->item[list->count - 1];
	char now[SYSCTL_VALUE_MAX];
	int ret = sysctl_get(item->name, now);

	if (ret)
		return err_set(err, STATUS_KERNEL, ret, "/proc/sys/%s: cannot read: %s", item->name,
			       strerror(-ret));
	if (!strcmp(now, item->value))
		list->count--;
	return 0;
}

static int need(struct sysctl_list *list, const char *fmt, const char *iface, const char *value,
		struct err *err)
{
	struct sysctl *item = add(list, fmt, iface);

	snprintf(item->value, sizeof(item->value), "%s", value);
	return keep_if_wrong(list, err);
}

/*
 * The kernel takes the larger of `all` and the interface. 1 is strict and
 * drops what is forwarded with an own source address; 2 is loose whatever
 * `all` says.
 */
static int need_loose_rp_filter(struct sysctl_list *list, const char *iface, struct err *err)
{
	char all[SYSCTL_VALUE_MAX], own[SYSCTL_VALUE_MAX], name[SYSCTL_NAME_MAX];

	snprintf(name, sizeof(name), "net/ipv4/conf/%s/rp_filter", iface);
	if (sysctl_get("net/ipv4/conf/all/rp_filter", all) || sysctl_get(name, own))
		return err_set(err, STATUS_KERNEL, EIO, "/proc/sys/%s: cannot read", name);
	if (atoi(all) < 2 && atoi(own) < 2 && (atoi(all) == 1 || atoi(own) == 1))
		return need(list, "net/ipv4/conf/%s/rp_filter", iface, "2", err);
	return 0;
}

int sysctl_needed(const struct plan *plan, struct sysctl_list *needed, struct err *err)
{
	const struct port_list *host = &plan->settings->host_ports;
	char range[SYSCTL_VALUE_MAX];
	int ret = 0;

	needed->count = 0;
	if (host->count) {
		const struct port_range *last = &host->range[host->count - 1];

		snprintf(range, sizeof(range), "%u\t%u", last->min, last->max);
		/* the kernel wants ports of both parities to choose from */
		if (last->max > last->min)
			ret = need(needed, "net/ipv4/%s", "ip_local_port_range", range, err);
	}
	for (unsigned int i = 0; !ret && i < plan->dev_count; i++) {
		/* translated packets that the kernel resolves have an own source address */
		ret = need(needed, "net/ipv4/conf/%s/accept_local", plan->dev[i].name, "1", err);
		if (!ret)
			ret = need_loose_rp_filter(needed, plan->dev[i].name, err);
	}
	if (!ret)
		ret = need(needed, "net/ipv4/%s", "ip_forward", "1", err);
	return ret;
}

static const struct sysctl *find(const struct sysctl_list *list, const char *name)
{
	for (unsigned int i = 0; i < list->count; i++) {
		if (!strcmp(list->item[i].name, name))
			return &list->item[i];
	}
	return NULL;
}

static int read_saved(const char *path, struct sysctl_list *saved, uint64_t *netns)
{
	char line[SYSCTL_NAME_MAX + SYSCTL_VALUE_MAX];
	struct sysctl *item;
	FILE *file;

	saved->count = 0;
	*netns = rundir_net_namespace();
	file = fopen(path, "re");
	if (!file)
		return -errno;
	if (fscanf(file, "netns %" SCNu64 "\n", netns) != 1)
		*netns = 0;
	while (saved->count < SYSCTLS_MAX && fgets(line, sizeof(line), file)) {
		item = &saved->item[saved->count];
		if (sscanf(line, "%95s %63[^\n]", item->name, item->value) == 2)
			saved->count++;
	}
	fclose(file);
	return 0;
}

/* Whole or not at all: written beside, then renamed. */
static int write_saved(const char *path, const struct sysctl_list *saved)
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
		fprintf(file, "%s %s\n", saved->item[i].name, saved->item[i].value);
	ret = fflush(file) || fsync(fileno(file)) ? -errno : 0;
	if (fclose(file) && !ret)
		ret = -errno;
	if (!ret && rename(fresh, path))
		ret = -errno;
	if (ret)
		unlink(fresh);
	return ret;
}

/* Adds the values of now; what an earlier load has saved stays as it was then. */
static int save(const char *path, const struct sysctl_list *needed)
{
	struct sysctl_list saved;
	uint64_t netns;
	struct sysctl *item;
	int ret;

	ret = read_saved(path, &saved, &netns);
	if (ret && ret != -ENOENT)
		return ret;
	for (unsigned int i = 0; i < needed->count && saved.count < SYSCTLS_MAX; i++) {
		if (find(&saved, needed->item[i].name))
			continue;
		item = &saved.item[saved.count++];
		*item = needed->item[i];
		ret = sysctl_get(item->name, item->value);
		if (ret)
			return ret;
	}
	return write_saved(path, &saved);
}

int sysctl_apply(const char *pin_dir, const struct sysctl_list *needed, struct err *err)
{
	char path[RUN_PATH_MAX];
	int ret;

	rundir_path(path, pin_dir, "sysctl");
	ret = save(path, needed);
	if (ret)
		return err_set(err, STATUS_SYSTEM, ret, "%s: cannot save the sysctls: %s", path,
			       strerror(-ret));
	for (unsigned int i = 0; i < needed->count; i++) {
		ret = set(&needed->item[i]);
		if (ret)
			return err_set(err, STATUS_KERNEL, ret,
				       "/proc/sys/%s: cannot set to %s: %s", needed->item[i].name,
				       needed->item[i].value, strerror(-ret));
	}
	return 0;
}

void sysctl_restore(const char *pin_dir)
{
	char path[RUN_PATH_MAX];
	struct sysctl_list saved;
	uint64_t netns;

	rundir_path(path, pin_dir, "sysctl");
	if (read_saved(path, &saved, &netns))
		return;
	/* an interface that is gone took its settings with it, so errors say nothing here */
	while (netns == rundir_net_namespace() && saved.count)
		set(&saved.item[--saved.count]);
	unlink(path);
}
