/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "err.h"

#define RUN_DIR "/run/natxdp"
#define BPFFS_PREFIX "/sys/fs/bpf/"

enum { LOCK_POLL_MS = 10 };

void rundir_path(char path[RUN_PATH_MAX], const char *pin_dir, const char *kind)
{
	size_t prefix = strlen(BPFFS_PREFIX);
	const char *name = pin_dir + 1;
	int len;

	if (!strncmp(pin_dir, BPFFS_PREFIX, prefix))
		name = pin_dir + prefix;
	len = snprintf(path, RUN_PATH_MAX, RUN_DIR "/%s.%s", name, kind);
	for (char *c = path + strlen(RUN_DIR) + 1; c < path + len; c++) {
		if (*c == '/')
			*c = '-';
	}
}

uint64_t rundir_net_namespace(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(uint64_t);
	uint64_t cookie = 0;

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size))
		cookie = 0;
	close(fd);
	return cookie;
}

int rundir_make(void)
{
	return mkdir(RUN_DIR, 0755) && errno != EEXIST ? -errno : 0;
}

/* Has somebody removed the file between open and flock? */
static bool is_current(int fd, const char *path)
{
	struct stat opened, there;

	return !fstat(fd, &opened) && !stat(path, &there) && opened.st_ino == there.st_ino;
}

/* Returns the descriptor, -EBUSY if another one has it, or -errno and wrote @err. */
static int try_lock(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(err, STATUS_SYSTEM, errno, "%s: cannot open: %s", path,
			       strerror(errno));
	if (!flock(fd, LOCK_EX | LOCK_NB) && is_current(fd, path))
		return fd;
	close(fd);
	return -EBUSY;
}

int rundir_lock(const char *pin_dir, unsigned int patience_ms, struct err *err)
{
	const struct timespec pause = { .tv_nsec = LOCK_POLL_MS * 1000000 };
	char path[RUN_PATH_MAX];
	int fd, ret;

	ret = rundir_make();
	if (ret)
		return err_set(err, STATUS_SYSTEM, ret, RUN_DIR ": cannot make it: %s",
			       strerror(-ret));
	rundir_path(path, pin_dir, "lock");
	for (unsigned int waited = 0;; waited += LOCK_POLL_MS) {
		fd = try_lock(path, err);
		if (fd != -EBUSY)
			return fd;
		if (waited >= patience_ms)
			break;
		nanosleep(&pause, NULL);
	}
	return err_set(err, STATUS_STATE, EBUSY,
		       "%s: another natxdp is loading or unloading: try again when it is done",
		       pin_dir);
}

void rundir_unlock(int fd, const char *pin_dir, bool forget)
{
	char path[RUN_PATH_MAX];

	rundir_path(path, pin_dir, "lock");
	if (forget)
		unlink(path);
	close(fd);
}
