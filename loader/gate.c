/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "gate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "dispatch.h"
#include "err.h"
#include "gate.skel.h"
#include "instance.h"
#include "nat.h"
#include "ours.h"
#include "pins.h"
#include "plan.h"
#include "settings.h"

/* In prog arrays the side of a program is its place. */
static const enum nat_program programs[NATXDP_GATE_SIDES] = {
	[NATXDP_SIDE_SINGLE] = NAT_PROGRAM_SINGLE,
	[NATXDP_SIDE_INSIDE] = NAT_PROGRAM_INSIDE,
	[NATXDP_SIDE_OUTSIDE] = NAT_PROGRAM_OUTSIDE,
};

static const char *const names[HOOKS][NATXDP_GATE_SIDES] = {
	[HOOK_XDP] = { [NATXDP_SIDE_SINGLE] = "gate_single",
		       [NATXDP_SIDE_INSIDE] = "gate_inside",
		       [NATXDP_SIDE_OUTSIDE] = "gate_outside" },
	[HOOK_TC] = { [NATXDP_SIDE_SINGLE] = "gate_tc_single",
		      [NATXDP_SIDE_INSIDE] = "gate_tc_inside",
		      [NATXDP_SIDE_OUTSIDE] = "gate_tc_outside" },
};

static __u32 side_of(const struct plan *plan, unsigned int dev)
{
	enum nat_program program = attach_program_for(plan, dev);
	__u32 side = 0;

	while (programs[side] != program)
		side++;
	return side;
}

static int put_before(const struct gate *gate, const struct instance_link *link, __u32 side)
{
	int fd = link ? bpf_prog_get_fd_by_id(link->program) : -1, ret = 0;

	if (fd < 0)
		return link ? -errno : -ENODEV;
	if (bpf_map_update_elem(bpf_map__fd(gate->bpf->maps.gate_before), &side, &fd, BPF_ANY))
		ret = -errno;
	close(fd);
	return ret;
}

static int put_programs(const struct gate *gate, const struct instance *instance,
			const struct nat *after, const struct plan *plan)
{
	int afters = bpf_map__fd(gate->bpf->maps.gate_after), ret = 0;

	for (unsigned int i = 0; !ret && i < plan->dev_count; i++) {
		__u32 side = side_of(plan, i);
		int program = nat_program(after, programs[side]);

		if (bpf_map_update_elem(afters, &side, &program, BPF_ANY))
			ret = -errno;
		if (!ret)
			ret = put_before(gate, instance_find(instance, plan->dev[i].name), side);
	}
	return ret;
}

/* `gate` last: without it, nothing is attached yet. */
static int pin_all(const struct gate *gate, const struct nat *after, const char *pin_dir)
{
	const struct {
		const char *name;
		int fd;
	} pins[] = {
		{ "before", bpf_map__fd(gate->bpf->maps.gate_before) },
		{ "after", bpf_map__fd(gate->bpf->maps.gate_after) },
		{ "bring", nat_program(after, NAT_PROGRAM_BRING) },
		{ "gate", bpf_map__fd(gate->bpf->maps.gate) },
	};
	char path[PIN_PATH_MAX];
	int ret;

	ret = pins_make_subdir(pin_dir, PINS_GATE);
	for (size_t i = 0; !ret && i < sizeof(pins) / sizeof(*pins); i++) {
		pins_path(path, pin_dir, PINS_GATE, pins[i].name);
		ret = bpf_obj_pin(pins[i].fd, path) ? -errno : 0;
	}
	return ret;
}

static int name_config(const struct gate *gate, const struct nat *after)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info), zero = 0;
	struct natxdp_gate value = { 0 };

	if (bpf_obj_get_info_by_fd(after->map[NAT_MAP_config], &info, &size))
		return -errno;
	value.config = info.id;
	return bpf_map_update_elem(bpf_map__fd(gate->bpf->maps.gate), &zero, &value, BPF_ANY) ?
		       -errno :
		       0;
}

/* Of the programs those of one hook, or none behind a dispatcher. */
static void choose_programs(const struct gate *gate, bool dispatched)
{
	for (int hook = 0; hook < HOOKS; hook++) {
		for (int side = 0; side < NATXDP_GATE_SIDES; side++)
			bpf_program__set_autoload(bpf_object__find_program_by_name(gate->bpf->obj,
										   names[hook]
											[side]),
						  hook == (int)gate->hook && !dispatched);
	}
}

int gate_make(struct gate *gate, const struct instance *instance, const struct nat *after,
	      const struct plan *plan, struct err *err)
{
	int ret = -ENOMEM;

	gate->hook = after->hook;
	gate->after = after;
	gate->bpf = gate_bpf__open();
	if (gate->bpf) {
		choose_programs(gate, plan->settings->dispatcher);
		ret = bpf_map__reuse_fd(gate->bpf->maps.gate_sweep,
					after->before->map[NAT_MAP_sweep_state]);
	}
	if (!ret)
		ret = bpf_map__reuse_fd(gate->bpf->maps.gate_config, after->map[NAT_MAP_config]);
	if (!ret)
		ret = gate_bpf__load(gate->bpf);
	/* a dispatcher hands over itself */
	if (!ret && !plan->settings->dispatcher)
		ret = put_programs(gate, instance, after, plan);
	if (!ret)
		ret = name_config(gate, after);
	if (!ret)
		ret = pin_all(gate, after, plan->settings->pin_dir);
	if (ret)
		err_set(err, STATUS_KERNEL, ret,
			"the programs that change the tables cannot be made: %s", strerror(-ret));
	return ret;
}

/* Called before the old one, which has the packets until the gate opens. */
static int add_one(const struct gate *gate, const struct plan *plan, unsigned int dev,
		   struct err *err)
{
	const char *name = nat_program_names[attach_program_for(plan, dev)];
	struct bpf_object *object = nat_open_again(gate->after, name, err);
	int fd;

	if (!object)
		return -EINVAL;
	fd = dispatch_add(object, name, DISPATCH_AFTER, plan->dev[dev].name,
			  plan->settings->xdp_mode == XDP_MODE_GENERIC, err);
	bpf_object__close(object);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int remove_all(const struct plan *plan, struct err *err)
{
	struct ours after;
	int ret;

	ours_look_next(&after, plan->settings->pin_dir);
	for (unsigned int i = 0; i < plan->dev_count; i++) {
		ret = dispatch_remove(plan->dev[i].ifindex, &after, 0);
		if (ret)
			return err_set(err, STATUS_KERNEL, ret,
				       "%s: a program of the upgrade cannot be taken off: %s",
				       plan->dev[i].name, strerror(-ret));
	}
	return 0;
}

static int add_all(const struct gate *gate, const struct plan *plan, struct err *err)
{
	struct err ignored;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < plan->dev_count; i++)
		ret = add_one(gate, plan, i, err);
	if (ret)
		remove_all(plan, &ignored);
	return ret;
}

int gate_attach(const struct gate *gate, const struct plan *plan, struct err *err)
{
	int program[NATXDP_DEVS_MAX];

	if (plan->settings->dispatcher)
		return add_all(gate, plan, err);
	for (unsigned int i = 0; i < plan->dev_count; i++)
		program[i] = bpf_program__fd(
			bpf_object__find_program_by_name(gate->bpf->obj,
							 names[gate->hook][side_of(plan, i)]));
	return attach_swap_all(gate->hook, plan, program, err);
}

int gate_open(const struct gate *gate, struct err *err)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int ret;

	ret = bpf_prog_test_run_opts(bpf_program__fd(gate->bpf->progs.gate_open), &run);
	if (!ret)
		ret = (int)run.retval;
	if (ret)
		return err_set(err, STATUS_KERNEL, ret, "the tables cannot be changed: %s",
			       strerror(-ret));
	return 0;
}

void gate_close(struct gate *gate)
{
	gate_bpf__destroy(gate->bpf);
	gate->bpf = NULL;
}

static int open_pin(const char *pin_dir, const char *name)
{
	char path[PIN_PATH_MAX];
	int fd;

	pins_path(path, pin_dir, PINS_GATE, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

bool gate_read(const char *pin_dir, struct natxdp_gate *gate)
{
	int fd = open_pin(pin_dir, "gate");
	__u32 zero = 0;
	bool found;

	if (fd < 0)
		return false;
	found = !bpf_map_lookup_elem(fd, &zero, gate);
	close(fd);
	return found;
}

int gate_detach(const char *pin_dir, enum hook hook, const struct plan *plan, struct err *err)
{
	int program[NATXDP_DEVS_MAX], befores, ret = 0;
	unsigned int found = 0;

	if (plan->settings->dispatcher)
		return remove_all(plan, err);
	befores = open_pin(pin_dir, "before");
	if (befores < 0)
		return err_set(err, STATUS_KERNEL, befores,
			       "%s/" PINS_GATE ": what was loaded before is not to be found: %s",
			       pin_dir, strerror(-befores));
	for (; !ret && found < plan->dev_count; found++) {
		__u32 side = side_of(plan, found), id;

		program[found] = bpf_map_lookup_elem(befores, &side, &id) ?
					 -1 :
					 bpf_prog_get_fd_by_id(id);
		if (program[found] < 0)
			ret = -errno;
	}
	close(befores);
	if (ret)
		err_set(err, STATUS_KERNEL, ret, "%s: its program before cannot be found: %s",
			plan->dev[found - 1].name, strerror(-ret));
	else
		ret = attach_swap_all(hook, plan, program, err);
	while (found--) {
		if (program[found] >= 0)
			close(program[found]);
	}
	return ret;
}

int gate_bring(const char *pin_dir)
{
	return open_pin(pin_dir, "bring");
}
