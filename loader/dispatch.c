/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "dispatch.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "err.h"
#include "ours.h"

/* xdp-filter runs at 10 and shall see frames before they are translated. */
static const unsigned int priorities[] = { [DISPATCH_NAT] = 50, [DISPATCH_AFTER] = 49 };

/* of ours, on one interface */
enum { PROGRAMS_MAX = 8 };

/*
 * libxdp reads its dispatcher from a file where it was built to look; a package with a libxdp of
 * its own brings the file along.
 */
static void find_dispatcher(void)
{
	static const char dir[] = "/usr/lib/natxdp/bpf";

	if (!access(dir, X_OK))
		setenv("LIBXDP_OBJECT_PATH", dir, 0);
}

static struct xdp_multiprog *dispatcher_on(uint32_t ifindex)
{
	struct xdp_multiprog *programs = xdp_multiprog__get_from_ifindex(ifindex);

	if (libxdp_get_error(programs))
		return NULL;
	if (!xdp_multiprog__is_legacy(programs))
		return programs;
	xdp_multiprog__close(programs);
	return NULL;
}

static uint32_t id_of(const struct xdp_program *program)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(xdp_program__fd(program), &info, &size) ? 0 : info.id;
}

bool dispatch_has(uint32_t ifindex, uint32_t id)
{
	struct xdp_multiprog *programs = dispatcher_on(ifindex);
	struct xdp_program *program = NULL;
	bool found = false;

	if (!programs)
		return false;
	while (!found && (program = xdp_multiprog__next_prog(program, programs)))
		found = id_of(program) == id;
	xdp_multiprog__close(programs);
	return found;
}

bool dispatch_can_join(uint32_t ifindex)
{
	struct xdp_multiprog *programs = dispatcher_on(ifindex);
	__u32 id = 0;

	if (programs) {
		xdp_multiprog__close(programs);
		return true;
	}
	return !bpf_xdp_query_id(ifindex, 0, &id) && !id;
}

int dispatch_remove(uint32_t ifindex, const struct ours *ours, uint32_t keep)
{
	struct xdp_multiprog *programs = dispatcher_on(ifindex);
	struct xdp_program *program = NULL, *found[PROGRAMS_MAX];
	enum xdp_attach_mode mode;
	uint32_t id;
	size_t count = 0;
	int ret = 0;

	if (!programs)
		return 0;
	find_dispatcher();
	mode = xdp_multiprog__attach_mode(programs);
	while ((program = xdp_multiprog__next_prog(program, programs))) {
		id = id_of(program);
		if (count < PROGRAMS_MAX && id && id != keep && ours_has(ours, id))
			found[count++] = program;
	}
	/* the one call makes one dispatcher without all of them */
	if (count)
		ret = xdp_program__detach_multi(found, count, ifindex, mode, 0);
	xdp_multiprog__close(programs);
	return ret;
}

static struct xdp_program *make_program(struct bpf_object *object, const char *name,
					enum dispatch_role role, struct err *err)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = object, .prog_name = name);
	struct xdp_program *program = xdp_program__create(&opts);
	int ret = libxdp_get_error(program);

	/*
	 * What it passes goes to the kernel and to no later program: while one
	 * of its programs replaces another, a frame must not see both.
	 */
	if (!ret)
		ret = xdp_program__set_run_prio(program, priorities[role]);
	if (!ret)
		ret = xdp_program__set_chain_call_enabled(program, XDP_PASS, false);
	/* HOOK_NEXT */
	if (!ret && role == DISPATCH_AFTER)
		ret = xdp_program__set_chain_call_enabled(program, XDP_ABORTED, true);
	if (!ret)
		return program;
	err_set(err, STATUS_KERNEL, ret, "libxdp does not take the program: %s", strerror(-ret));
	return NULL;
}

static int attach(struct xdp_program *program, const char *iface, bool generic, struct err *err)
{
	enum xdp_attach_mode mode = generic ? XDP_MODE_SKB : XDP_MODE_NATIVE;
	uint32_t ifindex = if_nametoindex(iface);
	int ret;

	find_dispatcher();
	ret = xdp_program__attach(program, ifindex, mode, 0);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret,
			       "%s: libxdp cannot attach the program: %s (--verbose shows what it "
			       "said)",
			       iface, strerror(-ret));
	if (dispatch_can_join(ifindex))
		return 0;
	/* it takes the interface for itself where the kernel has no dispatcher */
	xdp_program__detach(program, ifindex, mode, 0);
	return err_set(err, STATUS_KERNEL, EOPNOTSUPP,
		       "%s: this kernel does not take the dispatcher of libxdp, which needs BPF "
		       "programs of type EXT ('bpftool feature probe' tells): load without "
		       "--dispatcher",
		       iface);
}

int dispatch_add(struct bpf_object *object, const char *name, enum dispatch_role role,
		 const char *iface, bool generic, struct err *err)
{
	struct xdp_program *program = make_program(object, name, role, err);
	int fd = -1;

	if (program && !attach(program, iface, generic, err)) {
		fd = fcntl(xdp_program__fd(program), F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			err_set(err, STATUS_SYSTEM, errno, "too many open files: %s",
				strerror(errno));
	}
	if (program)
		xdp_program__close(program);
	return fd < 0 ? -EINVAL : fd;
}
