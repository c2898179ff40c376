/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "hold.h"
#include "rundir.h"

enum { START_MS = 5000, STOP_MS = 3000, READY_FD = 3 };

pid_t watcher_pid(const char *pin_dir)
{
	char path[RUN_PATH_MAX], text[16] = "";
	pid_t pid = 0;
	int fd;

	rundir_path(path, pin_dir, "watch");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	/* the file of one that was killed is there, but not locked */
	if (flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK &&
	    read(fd, text, sizeof(text) - 1) > 0)
		pid = strtol(text, NULL, 10);
	close(fd);
	return pid;
}

int watcher_claim(const char *pin_dir, struct err *err)
{
	char path[RUN_PATH_MAX];
	int fd, ret;

	ret = rundir_make();
	rundir_path(path, pin_dir, "watch");
	fd = ret ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(err, STATUS_SYSTEM, errno, "%s: cannot open: %s", path,
			       strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return err_set(err, STATUS_STATE, EEXIST, "%s: a watcher runs already (process %d)",
			       pin_dir, watcher_pid(pin_dir));
	}
	if (ftruncate(fd, 0) || dprintf(fd, "%d\n", getpid()) < 0) {
		ret = err_set(err, STATUS_SYSTEM, errno, "%s: cannot write: %s", path,
			      strerror(errno));
		close(fd);
		return ret;
	}
	return fd;
}

struct hold_counters *watcher_share_counters(const char *pin_dir)
{
	struct hold_counters *counters = MAP_FAILED;
	char path[RUN_PATH_MAX];
	int fd;

	rundir_path(path, pin_dir, "held");
	/* a watcher goes on counting where the one before it has stopped */
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return NULL;
	if (!ftruncate(fd, sizeof(*counters)))
		counters = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return counters == MAP_FAILED ? NULL : counters;
}

void watcher_unshare_counters(struct hold_counters *counters)
{
	if (counters)
		munmap(counters, sizeof(*counters));
}

bool watcher_read_counters(const char *pin_dir, struct hold_counters *counters)
{
	char path[RUN_PATH_MAX];
	ssize_t len;
	int fd;

	rundir_path(path, pin_dir, "held");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, counters, sizeof(*counters));
	close(fd);
	return len == sizeof(*counters);
}

/* In the child: becomes a process of its own that has nothing of its parent. */
static void become_watcher(const char *pin_dir, int ready)
{
	int null = open("/dev/null", O_RDWR);

	setsid();
	if (chdir("/") || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
	    (ready != READY_FD && dup2(ready, READY_FD) < 0))
		_exit(1);
	if (ready == READY_FD)
		fcntl(READY_FD, F_SETFD, 0);
	syscall(SYS_close_range, READY_FD + 1, ~0u, 0);
	execl("/proc/self/exe", "natxdp", "watch", "--pin-dir", pin_dir, "--syslog", "--ready-fd",
	      "3", (char *)NULL);
	_exit(1);
}

int watcher_start(const char *pin_dir, struct err *err)
{
	struct pollfd ready = { .events = POLLIN };
	int ends[2];
	pid_t pid;
	char c;
	bool ok;

	if (pipe2(ends, O_CLOEXEC))
		return err_set(err, STATUS_SYSTEM, errno, "cannot start the watcher: %s",
			       strerror(errno));
	/* twice, so that init and not this process has it as a child */
	pid = fork();
	if (!pid) {
		if (!fork())
			become_watcher(pin_dir, ends[1]);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	close(ends[1]);
	ready.fd = ends[0];
	ok = pid > 0 && poll(&ready, 1, START_MS) == 1 && read(ends[0], &c, 1) == 1;
	close(ends[0]);
	if (!ok)
		return err_set(err, STATUS_SYSTEM, EIO,
			       "the NAT is loaded, but its watcher does not start: 'natxdp watch' "
			       "shows why");
	return 0;
}

void watcher_stop(const char *pin_dir)
{
	struct pollfd gone = { .events = POLLIN };
	char path[RUN_PATH_MAX];
	pid_t pid = watcher_pid(pin_dir);

	/* a descriptor, so that it cannot be another process with the same number */
	gone.fd = pid ? syscall(SYS_pidfd_open, pid, 0) : -1;
	if (gone.fd >= 0) {
		if (watcher_pid(pin_dir) == pid &&
		    !syscall(SYS_pidfd_send_signal, gone.fd, SIGTERM, NULL, 0))
			poll(&gone, 1, STOP_MS);
		close(gone.fd);
	}
	if (!watcher_pid(pin_dir)) {
		rundir_path(path, pin_dir, "watch");
		unlink(path);
	}
}

void watcher_forget(const char *pin_dir)
{
	char path[RUN_PATH_MAX];

	rundir_path(path, pin_dir, "held");
	unlink(path);
}
