/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <pwd.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"

/*
 * What the agent and its libraries call; libcurl resolves names in threads. Any
 * other call fails with EPERM: a library that tries something new is told so,
 * and the daemon lives.
 */
static const int allowed[] = {
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(access),
	SCMP_SYS(bind),
	SCMP_SYS(brk),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(close),
	SCMP_SYS(connect),
	SCMP_SYS(dup),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(eventfd2),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(fsync),
	SCMP_SYS(futex),
	SCMP_SYS(getdents64),
	SCMP_SYS(getpeername),
	SCMP_SYS(getpid),
	SCMP_SYS(getrandom),
	SCMP_SYS(getrlimit),
	SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt),
	SCMP_SYS(gettid),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(ioctl),
	SCMP_SYS(listen),
	SCMP_SYS(lseek),
	SCMP_SYS(madvise),
	SCMP_SYS(membarrier),
	SCMP_SYS(mmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(mremap),
	SCMP_SYS(munmap),
	SCMP_SYS(newfstatat),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(pipe2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(prctl),
	SCMP_SYS(pread64),
	SCMP_SYS(prlimit64),
	SCMP_SYS(read),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(readv),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sendfile),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(socket),
	SCMP_SYS(socketpair),
	SCMP_SYS(stat),
	SCMP_SYS(statx),
	SCMP_SYS(sysinfo),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_gettime),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(uname),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(tgkill),
};

/* Of bpf() what works on a descriptor that is open already. */
static const int allowed_bpf[] = { BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_OBJ_GET_INFO_BY_FD,
				   BPF_PROG_TEST_RUN };

/* What the process calls that opens the pins, for it keeps the rights to do so: see opener.h. */
static const int allowed_opener[] = {
	SCMP_SYS(access),	  SCMP_SYS(bind),	  SCMP_SYS(brk),
	SCMP_SYS(clock_gettime),  SCMP_SYS(close),	  SCMP_SYS(exit_group),
	SCMP_SYS(faccessat),	  SCMP_SYS(faccessat2),	  SCMP_SYS(fcntl),
	SCMP_SYS(fstat),	  SCMP_SYS(futex),	  SCMP_SYS(getdents64),
	SCMP_SYS(getpid),	  SCMP_SYS(getsockname),  SCMP_SYS(getrandom),
	SCMP_SYS(ioctl),	  SCMP_SYS(lseek),	  SCMP_SYS(madvise),
	SCMP_SYS(mmap),		  SCMP_SYS(mprotect),	  SCMP_SYS(mremap),
	SCMP_SYS(munmap),	  SCMP_SYS(newfstatat),	  SCMP_SYS(open),
	SCMP_SYS(openat),	  SCMP_SYS(poll),	  SCMP_SYS(ppoll),
	SCMP_SYS(read),		  SCMP_SYS(readlink),	  SCMP_SYS(readlinkat),
	SCMP_SYS(recvfrom),	  SCMP_SYS(recvmsg),	  SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),	  SCMP_SYS(setsockopt),	  SCMP_SYS(sigaltstack),
	SCMP_SYS(socket),	  SCMP_SYS(stat),	  SCMP_SYS(statx),
	SCMP_SYS(write),
};

/* It looks, runs test packets and ends their flow; it loads, attaches and pins nothing. */
static const int allowed_opener_bpf[] = {
	BPF_MAP_LOOKUP_ELEM,	BPF_MAP_UPDATE_ELEM,   BPF_MAP_GET_NEXT_KEY, BPF_OBJ_GET,
	BPF_OBJ_GET_INFO_BY_FD, BPF_PROG_GET_FD_BY_ID, BPF_PROG_TEST_RUN,
};

struct filter {
	unsigned int count, bpf_count;
	const int *call, *bpf;
};

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

static int filter_calls(const struct filter *allow)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int ret = filter ? 0 : -ENOMEM;

	for (unsigned int i = 0; !ret && i < allow->count; i++) {
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allow->call[i], 0);
		if (ret == -EDOM) /* this architecture has no such call */
			ret = 0;
	}
	for (unsigned int i = 0; !ret && i < allow->bpf_count; i++) {
		struct scmp_arg_cmp command = { .arg = 0,
						.op = SCMP_CMP_EQ,
						.datum_a = allow->bpf[i] };

		ret = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1, &command);
	}
	if (!ret)
		ret = seccomp_load(filter);
	seccomp_release(filter);
	return ret;
}

int sandbox_keep_opening(void)
{
	static const struct filter allow = { COUNT_OF(allowed_opener), COUNT_OF(allowed_opener_bpf),
					     allowed_opener, allowed_opener_bpf };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct few[2] = { { 0 } };

	few[0].permitted = few[0].effective = 1u << CAP_SYS_ADMIN | 1u << CAP_DAC_OVERRIDE;
	if (syscall(SYS_capset, &header, few) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return filter_calls(&allow);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

static int become(const struct passwd *user)
{
	if (setgroups(0, NULL) || setresgid(user->pw_gid, user->pw_gid, user->pw_gid))
		return -errno;
	return setresuid(user->pw_uid, user->pw_uid, user->pw_uid) ? -errno : 0;
}

int sandbox_enter(const char *name, struct err *err)
{
	const struct passwd *user = *name ? getpwnam(name) : NULL;
	static const struct filter allow = { COUNT_OF(allowed), COUNT_OF(allowed_bpf), allowed,
					     allowed_bpf };
	int ret = 0;

	if (*name && !user)
		return err_set(err, STATUS_CONFIG, ENOENT,
			       "user = %s: no such user: 'useradd --system %s' makes it, or set "
			       "user = none",
			       name, name);
	/* up to the first number that the kernel does not know; needs CAP_SETPCAP still */
	for (int cap = 0; !prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); cap++)
		;
	if (user)
		ret = become(user);
	if (!ret)
		ret = drop_capabilities();
	if (!ret && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		ret = -errno;
	if (!ret)
		ret = filter_calls(&allow);
	if (ret)
		return err_set(err, STATUS_SYSTEM, ret, "rights cannot be given up: %s",
			       strerror(-ret));
	return 0;
}
