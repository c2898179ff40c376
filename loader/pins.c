/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "err.h"

#define BPFFS "/sys/fs/bpf"

void pins_path(char path[PIN_PATH_MAX], const char *pin_dir, const char *subdir, const char *name)
{
	snprintf(path, PIN_PATH_MAX, "%s/%s/%s", pin_dir, subdir, name);
}

void pins_map_path(char path[PIN_PATH_MAX], const char *pin_dir, const char *map)
{
	pins_path(path, pin_dir, PINS_MAPS, map);
}

void pins_link_path(char path[PIN_PATH_MAX], const char *pin_dir, const char *iface)
{
	int len = snprintf(path, PIN_PATH_MAX, "%s/links/%s", pin_dir, iface);

	for (char *c = path + len - strlen(iface); *c; c++) {
		if (*c == '.')
			*c = ':';
	}
}

void pins_flows_path(char path[PIN_PATH_MAX], const char *pin_dir)
{
	snprintf(path, PIN_PATH_MAX, "%s/flows", pin_dir);
}

void pins_insert_path(char path[PIN_PATH_MAX], const char *pin_dir)
{
	snprintf(path, PIN_PATH_MAX, "%s/insert", pin_dir);
}

/* Where a pin is made that then takes the place of another one. */
static void fresh_path(char path[PIN_PATH_MAX], const char *pin_dir)
{
	snprintf(path, PIN_PATH_MAX, "%s/fresh", pin_dir);
}

int pins_put(int fd, const char *path, const char *pin_dir)
{
	char fresh[PIN_PATH_MAX];

	fresh_path(fresh, pin_dir);
	unlink(fresh);
	return bpf_obj_pin(fd, fresh) || rename(fresh, path) ? -errno : 0;
}

bool pins_is_program(int fd)
{
	char path[32], kind[32] = "";

	/* what kind it is, the kernel says there only */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, kind, sizeof(kind) - 1) > 0 && strstr(kind, "bpf-prog");
}

bool pins_exist(const char *pin_dir)
{
	return !access(pin_dir, F_OK);
}

/* The nearest directory above @path, or itself, that is there. */
static void existing_ancestor(char *path)
{
	char *slash;

	while (access(path, F_OK) && (slash = strrchr(path, '/')))
		slash[slash == path] = '\0';
}

static bool on_bpffs(const char *pin_dir)
{
	char path[PIN_PATH_MAX];
	struct statfs fs;

	snprintf(path, sizeof(path), "%s", pin_dir);
	existing_ancestor(path);
	return !statfs(path, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/* Does process @pid have the same directory there? -1 if that cannot be told. */
static int seen_by(pid_t pid, const char *pin_dir)
{
	char path[PIN_PATH_MAX + 32];
	struct stat own, other;

	snprintf(path, sizeof(path), "/proc/%d/root%s", pid, pin_dir);
	if (stat(pin_dir, &own))
		return -1;
	if (stat(path, &other))
		return errno == ENOENT ? 0 : -1;
	return own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

/*
 * `ip netns exec` and some service managers give their children a bpf file
 * system of their own, which ends with them. In a container process 1 may be
 * out of sight; then what started this one tells most.
 */
static bool is_private(const char *pin_dir)
{
	int seen = seen_by(1, pin_dir);

	if (seen < 0)
		seen = seen_by(getppid(), pin_dir);
	return seen == 0;
}

static int make_dirs(const char *path)
{
	char partial[PIN_PATH_MAX];

	snprintf(partial, sizeof(partial), "%s", path);
	for (char *c = partial + 1;; c++) {
		if (*c && *c != '/')
			continue;
		if (!*c)
			return mkdir(partial, 0700) && errno != EEXIST ? -errno : 0;
		*c = '\0';
		if (mkdir(partial, 0700) && errno != EEXIST && errno != EROFS)
			return -errno;
		*c = '/';
	}
}

int pins_make(const char *pin_dir, bool *volatile_mount, struct err *err)
{
	static const char *const subdirs[] = { PINS_MAPS, PINS_LINKS };
	char path[PIN_PATH_MAX];
	int ret;

	*volatile_mount = false;
	if (!on_bpffs(pin_dir)) {
		if (strncmp(pin_dir, BPFFS "/", strlen(BPFFS) + 1))
			return err_set(err, STATUS_CONFIG, EINVAL,
				       "%s: not on a bpf file system: put pin_dir below " BPFFS,
				       pin_dir);
		if (mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
			return err_set(err, STATUS_KERNEL, errno,
				       BPFFS ": cannot mount the bpf file system: %s",
				       strerror(errno));
	}
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", pin_dir, subdirs[i]);
		ret = make_dirs(path);
		if (ret)
			return err_set(err, STATUS_KERNEL, ret, "%s: cannot make it: %s", path,
				       strerror(-ret));
	}
	*volatile_mount = is_private(pin_dir);
	return 0;
}

int pins_each(const char *pin_dir, const char *subdir, void (*each)(const char *path, void *data),
	      void *data)
{
	char path[PIN_PATH_MAX + NAME_MAX + 2];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, PIN_PATH_MAX, "%s/%s", pin_dir, subdir);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (*entry->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", pin_dir, subdir, entry->d_name);
		each(path, data);
	}
	closedir(dir);
	return 0;
}

static void unlink_one(const char *path, void *data)
{
	(void)data;
	unlink(path);
}

static void subdir_path(char path[PIN_PATH_MAX], const char *pin_dir, const char *subdir)
{
	snprintf(path, PIN_PATH_MAX, "%s/%s", pin_dir, subdir);
}

int pins_make_subdir(const char *pin_dir, const char *subdir)
{
	char path[PIN_PATH_MAX];

	subdir_path(path, pin_dir, subdir);
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

int pins_remove_subdir(const char *pin_dir, const char *subdir)
{
	char path[PIN_PATH_MAX];

	pins_each(pin_dir, subdir, unlink_one, NULL);
	subdir_path(path, pin_dir, subdir);
	return rmdir(path) && errno != ENOENT ? -errno : 0;
}

int pins_exchange(const char *pin_dir)
{
	char maps[PIN_PATH_MAX], next[PIN_PATH_MAX];

	subdir_path(maps, pin_dir, PINS_MAPS);
	subdir_path(next, pin_dir, PINS_NEXT);
	/* bpffs can do that since Linux 5.16 */
	return renameat2(AT_FDCWD, next, AT_FDCWD, maps, RENAME_EXCHANGE) ? -errno : 0;
}

unsigned long pins_maps_inode(const char *pin_dir)
{
	char path[PIN_PATH_MAX];
	struct stat st;

	subdir_path(path, pin_dir, PINS_MAPS);
	return stat(path, &st) ? 0 : st.st_ino;
}

bool pins_has_next(const char *pin_dir)
{
	char next[PIN_PATH_MAX], gate[PIN_PATH_MAX];

	subdir_path(next, pin_dir, PINS_NEXT);
	subdir_path(gate, pin_dir, PINS_GATE);
	return !access(next, F_OK) || !access(gate, F_OK);
}

int pins_remove(const char *pin_dir)
{
	static const char *const subdirs[] = { PINS_LINKS, PINS_GATE, PINS_NEXT, PINS_MAPS };
	char path[PIN_PATH_MAX];
	int ret = 0;

	pins_flows_path(path, pin_dir);
	unlink(path);
	pins_insert_path(path, pin_dir);
	unlink(path);
	fresh_path(path, pin_dir);
	unlink(path);
	for (size_t i = 0; !ret && i < sizeof(subdirs) / sizeof(*subdirs); i++)
		ret = pins_remove_subdir(pin_dir, subdirs[i]);
	if (ret)
		return ret;
	return rmdir(pin_dir) && errno != ENOENT ? -errno : 0;
}
