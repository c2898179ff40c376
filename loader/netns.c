/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rundir.h"

enum { SEEN_MAX = 1024 };

#define OWN "/proc/self/ns/net"

/* As the files say that remember what was changed; 0 if there are none. */
static uint64_t loaded_in(const char *pin_dir)
{
	static const char *const kinds[] = { "nic", "sysctl", "clsact" };
	char path[RUN_PATH_MAX];
	uint64_t cookie = 0;
	FILE *file;

	for (unsigned int i = 0; !cookie && i < sizeof(kinds) / sizeof(*kinds); i++) {
		rundir_path(path, pin_dir, kinds[i]);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "netns %" SCNu64 "\n", &cookie) != 1)
			cookie = 0;
		fclose(file);
	}
	return cookie;
}

/* By a file of the name space file system that was not seen before. */
static bool enter_by(const char *path, uint64_t cookie, ino_t seen[SEEN_MAX], unsigned int *count)
{
	struct stat own, there;
	int fd;

	/* fd/ has all kinds of files, and opening some of them does something */
	if (stat(OWN, &own) || stat(path, &there) || own.st_dev != there.st_dev)
		return false;
	for (unsigned int i = 0; i < *count; i++) {
		if (seen[i] == there.st_ino)
			return false;
	}
	if (*count < SEEN_MAX)
		seen[(*count)++] = there.st_ino;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (setns(fd, CLONE_NEWNET)) { /* of another kind */
		close(fd);
		return false;
	}
	close(fd);
	return rundir_net_namespace() == cookie;
}

static bool enter(uint64_t cookie)
{
	static const char *const places[] = { "/run/netns/*", "/proc/[0-9]*/ns/net",
					      "/proc/[0-9]*/fd/*" };
	static ino_t seen[SEEN_MAX];
	unsigned int count = 0;
	bool found = false;
	glob_t list;

	for (unsigned int i = 0; !found && i < sizeof(places) / sizeof(*places); i++) {
		if (glob(places[i], GLOB_NOSORT, NULL, &list))
			continue;
		for (size_t j = 0; !found && j < list.gl_pathc; j++)
			found = enter_by(list.gl_pathv[j], cookie, seen, &count);
		globfree(&list);
	}
	return found;
}

bool netns_is_elsewhere(const char *pin_dir)
{
	uint64_t cookie = loaded_in(pin_dir);

	return cookie && cookie != rundir_net_namespace();
}

int netns_enter(const char *pin_dir, int *home)
{
	*home = -1;
	if (!netns_is_elsewhere(pin_dir))
		return 0;
	*home = open(OWN, O_RDONLY | O_CLOEXEC);
	if (*home < 0)
		return -errno;
	if (enter(loaded_in(pin_dir)))
		return 0;
	netns_return(*home);
	*home = -1;
	return -ENOENT;
}

void netns_return(int home)
{
	if (home < 0)
		return;
	if (setns(home, CLONE_NEWNET))
		_exit(1); /* what comes would be done to another's interfaces */
	close(home);
}
