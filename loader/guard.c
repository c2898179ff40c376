/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "guard.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <natxdp/flow.h> /* which the skeleton needs */

#include "attach.h"
#include "err.h"
#include "guard.skel.h"
#include "nat.h"
#include "ours.h"
#include "plan.h"
#include "settings.h"
#include "tc.h"

static int err_refused(int ret, struct err *err)
{
	return err_set(err, STATUS_KERNEL, ret, "this kernel does not take the guard: %s",
		       strerror(-ret));
}

/* No map of its own: those that it does not use stay what they are, too. */
static int use_maps(struct bpf_object *object, const struct nat *nat)
{
	struct bpf_map *map;
	int ret = 0;

	for (int i = 0; !ret && i < NAT_MAPS; i++) {
		map = bpf_object__find_map_by_name(object, nat_map_names[i]);
		if (map && nat->map[i] >= 0)
			ret = bpf_map__reuse_fd(map, nat->map[i]);
	}
	return ret;
}

int guard_program(const struct nat *nat, bool inside, struct err *err)
{
	struct guard_bpf *guard = guard_bpf__open();
	int ret = guard ? 0 : -errno;

	if (!ret)
		bpf_program__set_autoload(inside ? guard->progs.natxdp_guard :
						   guard->progs.natxdp_guard_inside,
					  false);
	if (!ret)
		ret = use_maps(guard->obj, nat);
	if (!ret)
		ret = guard_bpf__load(guard);
	if (!ret) {
		ret = fcntl(bpf_program__fd(inside ? guard->progs.natxdp_guard_inside :
						     guard->progs.natxdp_guard),
			    F_DUPFD_CLOEXEC, 3);
		ret = ret < 0 ? -errno : ret;
	}
	guard_bpf__destroy(guard);
	return ret < 0 ? err_refused(ret, err) : ret;
}

static int attach_one(const struct nat *nat, const struct plan *plan, unsigned int dev,
		      struct err *err)
{
	bool inside = attach_program_for(plan, dev) == NAT_PROGRAM_INSIDE;
	int program = guard_program(nat, inside, err), ret;

	if (program < 0)
		return program;
	ret = tc_attach(TC_GUARD, plan->settings->pin_dir, plan->dev[dev].ifindex, program);
	close(program);
	if (!ret)
		return 0;
	return err_set(err, STATUS_KERNEL, ret, "%s: cannot attach the guard at TC: %s",
		       plan->dev[dev].name, strerror(-ret));
}

int guard_attach_all(const struct plan *plan, struct err *err)
{
	struct nat nat;
	int ret;

	ret = nat_open(&nat, plan->settings->pin_dir, err);
	if (ret)
		return ret;
	for (unsigned int i = 0; !ret && i < plan->dev_count; i++)
		ret = attach_one(&nat, plan, i, err);
	nat_close(&nat);
	return ret;
}

bool guard_is_on(const struct plan *plan, unsigned int dev)
{
	struct ours ours;
	uint32_t id;

	ours_look(&ours, plan->settings->pin_dir);
	return !tc_query(TC_GUARD, plan->dev[dev].ifindex, &id) && id && ours_has(&ours, id);
}

void guard_leave(const char *pin_dir)
{
	struct ours ours;

	ours_look(&ours, pin_dir);
	tc_leave(TC_GUARD, pin_dir, &ours);
}
