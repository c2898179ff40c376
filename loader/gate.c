/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "gate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "err.h"
#include "gate.skel.h"
#include "instance.h"
#include "nat.h"
#include "pins.h"
#include "plan.h"
#include "settings.h"

/* In prog arrays the side of a program is its place. */
static const enum nat_program programs[NATXDP_GATE_SIDES] = {
	[NATXDP_SIDE_SINGLE] = NAT_PROGRAM_SINGLE,
	[NATXDP_SIDE_INSIDE] = NAT_PROGRAM_INSIDE,
	[NATXDP_SIDE_OUTSIDE] = NAT_PROGRAM_OUTSIDE,
};

static __u32 side_of(const struct plan *plan, unsigned int dev)
{
	enum nat_program program = attach_program_for(plan, dev);
	__u32 side = 0;

	while (programs[side] != program)
		side++;
	return side;
}

static int put_programs(const struct gate *gate, const struct instance *instance,
			const struct nat *after, const struct plan *plan)
{
	int befores = bpf_map__fd(gate->bpf->maps.gate_before);
	int afters = bpf_map__fd(gate->bpf->maps.gate_after);
	int fd, ret = 0;

	for (unsigned int i = 0; !ret && i < plan->dev_count; i++) {
		const struct instance_link *link = instance_find(instance, plan->dev[i].name);
		__u32 side = side_of(plan, i);
		int program = nat_program(after, programs[side]);

		fd = link ? bpf_prog_get_fd_by_id(link->program) : -1;
		if (fd < 0 || bpf_map_update_elem(befores, &side, &fd, BPF_ANY) ||
		    bpf_map_update_elem(afters, &side, &program, BPF_ANY))
			ret = fd < 0 && !link ? -ENODEV : -errno;
		if (fd >= 0)
			close(fd);
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

int gate_make(struct gate *gate, const struct instance *instance, const struct nat *after,
	      const struct plan *plan, struct err *err)
{
	int ret = -errno;

	gate->bpf = gate_bpf__open();
	if (gate->bpf)
		ret = bpf_map__reuse_fd(gate->bpf->maps.gate_sweep,
					after->before->map[NAT_MAP_sweep_state]);
	if (!ret)
		ret = gate_bpf__load(gate->bpf);
	if (!ret)
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

int gate_attach(const struct gate *gate, const struct plan *plan, struct err *err)
{
	const struct gate_bpf *bpf = gate->bpf;
	const int by_side[NATXDP_GATE_SIDES] = {
		[NATXDP_SIDE_SINGLE] = bpf_program__fd(bpf->progs.gate_single),
		[NATXDP_SIDE_INSIDE] = bpf_program__fd(bpf->progs.gate_inside),
		[NATXDP_SIDE_OUTSIDE] = bpf_program__fd(bpf->progs.gate_outside),
	};
	int program[NATXDP_DEVS_MAX];

	for (unsigned int i = 0; i < plan->dev_count; i++)
		program[i] = by_side[side_of(plan, i)];
	return attach_swap_all(plan, program, err);
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

int gate_detach(const char *pin_dir, const struct plan *plan, struct err *err)
{
	int program[NATXDP_DEVS_MAX], befores = open_pin(pin_dir, "before"), ret = 0;
	unsigned int found = 0;

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
		ret = attach_swap_all(plan, program, err);
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
