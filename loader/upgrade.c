/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "upgrade.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <natxdp/bring.h>

#include "abi.h"
#include "attach.h"
#include "contents.h"
#include "err.h"
#include "gate.h"
#include "geometry.h"
#include "instance.h"
#include "log.h"
#include "nat.h"
#include "pins.h"
#include "plan.h"
#include "settings.h"
#include "sysctl.h"
#include "table.h"

/* How long a flow for which there is no room may wait for it to come. */
enum { ROOM_PATIENCE_MS = 2000 };

static unsigned int count_flows(const struct nat *nat)
{
	struct flow_view view;
	struct table table;
	unsigned int flows = 0;

	if (table_open(&table, nat, TABLE_READ))
		return 0;
	while (table_next_any(&table, &view))
		flows++;
	table_close(&table);
	return flows;
}

static int check_room(const struct nat *before, uint32_t max_flows, struct err *err)
{
	unsigned int flows = count_flows(before);

	if (flows <= max_flows - max_flows / 16)
		return 0;
	return err_set(err, STATUS_STATE, ENOSPC,
		       "max_flows = %u: there are %u flows and mappings, and flows are not ended for "
		       "a smaller table: take %u at the least",
		       max_flows, flows, flows + flows / 15 + 1);
}

static int check_one_hook(const struct instance *instance, struct err *err)
{
	if (instance_is_at(instance, instance->link[0].hook))
		return 0;
	return err_set(err, STATUS_STATE, EEXIST,
		       "%s is at the %s hook and another interface is not, since a load was killed: "
		       "run 'natxdp reload' first",
		       instance->link[0].name, hook_names[instance->link[0].hook]);
}

/* Every program that ran when this was called has ended. */
static void wait_for_programs(void)
{
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* One walk over the table before. Adds up in @sum what was done. */
static int bring_pass(int program, uint32_t slots, bool end, struct natxdp_bring *sum)
{
	struct natxdp_bring part;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = &part, .data_size_in = sizeof(part),
		    .data_out = &part, .data_size_out = sizeof(part), .repeat = 1);

	sum->left = 0;
	for (uint32_t first = 0; first < slots; first += NATXDP_BRING_SLOTS) {
		part = (struct natxdp_bring){ .first = first,
					      .count = NATXDP_BRING_SLOTS,
					      .end = end };
		if (bpf_prog_test_run_opts(program, &run))
			return -errno;
		if (run.retval != XDP_PASS)
			return -EPROTO;
		sum->brought += part.brought;
		sum->left += part.left;
		sum->ended += part.ended;
	}
	return 0;
}

static int bring_all(int program, uint32_t slots, struct natxdp_bring *sum)
{
	uint64_t until = now_ms() + ROOM_PATIENCE_MS;
	int ret;

	memset(sum, 0, sizeof(*sum));
	do {
		wait_for_programs();
		ret = bring_pass(program, slots, false, sum);
	} while (!ret && sum->left && now_ms() < until);
	if (!ret && sum->left)
		ret = bring_pass(program, slots, true, sum);
	return ret;
}

static uint32_t slots_of(const char *pin_dir, const char *subdir)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	char path[PIN_PATH_MAX];
	int fd;

	pins_path(path, pin_dir, subdir, nat_map_names[NAT_MAP_flow_table]);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		info.max_entries = 0;
	close(fd);
	return info.max_entries * NATXDP_WAYS;
}

/* Step 5. */
static int bring_flows(const char *pin_dir, struct err *err)
{
	uint32_t slots = slots_of(pin_dir, PINS_NEXT);
	int program = gate_bring(pin_dir), ret = program < 0 ? program : 0;
	struct natxdp_bring sum = { 0 };

	if (!ret)
		ret = bring_all(program, slots, &sum);
	if (program >= 0)
		close(program);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret,
			       "flows cannot be brought to the new tables: %s: they stay where they "
			       "are and go on",
			       strerror(-ret));
	if (sum.ended)
		log_note("%u flows or mappings had ended, or found no room in the new tables",
			 sum.ended);
	return 0;
}

static uint32_t config_id(const char *pin_dir)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	char path[PIN_PATH_MAX];
	int fd;

	pins_map_path(path, pin_dir, nat_map_names[NAT_MAP_config]);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		info.id = 0;
	close(fd);
	return info.id;
}

/* Step 6. It is where the NAT moves to another hook, if it shall. */
static int replace_gate(const struct plan *plan, enum hook hook, struct err *err)
{
	const char *pin_dir = plan->settings->pin_dir;
	struct instance instance;
	struct nat nat;
	int ret;

	instance_look(&instance, pin_dir);
	ret = nat_open(&nat, pin_dir, err);
	if (ret)
		return ret;
	nat.hook = hook;
	ret = nat_replace(&nat, plan->settings->dispatcher, err);
	if (!ret)
		ret = attach_replace_all(&nat, plan, &instance, err);
	if (!ret)
		ret = nat_arm(&nat, err);
	if (!ret)
		ret = nat_pin_programs(&nat, pin_dir, err);
	nat_close(&nat);
	return ret;
}

/* next/ first: while it is there, `gate` is there too, and says what it is. */
static int remove_rest(const char *pin_dir, struct err *err)
{
	int ret = pins_remove_subdir(pin_dir, PINS_NEXT);

	if (!ret)
		ret = pins_remove_subdir(pin_dir, PINS_GATE);
	if (ret)
		return err_set(err, STATUS_SYSTEM, ret,
			       "%s: what is left of an upgrade cannot be "
			       "removed: %s",
			       pin_dir, strerror(-ret));
	return 0;
}

/* From the open gate on. Whatever of it was done before is not done again. */
static int finish(const struct plan *plan, const struct natxdp_gate *gate, enum hook hook,
		  struct err *err)
{
	const char *pin_dir = plan->settings->pin_dir;
	int ret = 0;

	if (config_id(pin_dir) != gate->config)
		ret = pins_exchange(pin_dir);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret,
			       "%s: the new maps cannot take the place of the old ones: %s",
			       pin_dir, strerror(-ret));
	/* whoever still reads the old tables (the agent) sees that they are not those of a NAT */
	nat_deactivate_pinned(pin_dir, PINS_NEXT);
	ret = bring_flows(pin_dir, err);
	if (!ret)
		ret = replace_gate(plan, hook, err);
	return ret ? ret : remove_rest(pin_dir, err);
}

static int take_back(const struct plan *plan, bool has_gate, enum hook hook, struct err *err)
{
	const char *pin_dir = plan->settings->pin_dir;
	int ret = has_gate ? gate_detach(pin_dir, hook, plan, err) : 0;

	return ret ? ret : remove_rest(pin_dir, err);
}

static int err_counters(int ret, struct err *err)
{
	return err_set(err, STATUS_KERNEL, ret, "the counters cannot be taken over: %s",
		       strerror(-ret));
}

/* Steps 2 and 3. */
static int change_over(const struct plan *plan, const struct instance *instance, struct nat *after,
		       const struct sysctl_list *sysctls, struct abi_counters *counters,
		       struct err *err)
{
	struct gate gate = { .bpf = NULL };
	struct err ignored;
	int ret;

	ret = gate_make(&gate, instance, after, plan, err);
	if (!ret && counters) {
		ret = abi_counters_carry(counters);
		if (ret)
			err_counters(ret, err);
	}
	if (!ret)
		ret = gate_attach(&gate, plan, err);
	if (!ret) {
		ret = sysctl_apply(plan->settings->pin_dir, sysctls, err);
		if (!ret)
			ret = gate_open(&gate, err);
		if (ret)
			gate_detach(plan->settings->pin_dir, gate.hook, plan, &ignored);
	}
	gate_close(&gate);
	return ret;
}

/* Everything up to the open gate; on failure all is as it was. */
static int begin(const struct plan *plan, const struct instance *instance, struct nat *after,
		 const struct sysctl_list *sysctls, struct abi_counters *counters, struct err *err)
{
	const char *pin_dir = plan->settings->pin_dir;
	struct contents *settings_before = NULL;
	struct err ignored;
	int ret;

	ret = pins_make_subdir(pin_dir, PINS_NEXT);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret, "%s: cannot make next/: %s", pin_dir,
			       strerror(-ret));
	ret = nat_pin_maps(after, pin_dir, PINS_NEXT, err);
	if (!ret)
		ret = nat_arm(after, err);
	if (!ret)
		ret = nat_fill(after, plan, &settings_before, err);
	if (!ret) {
		ret = change_over(plan, instance, after, sysctls, counters, err);
		if (ret)
			nat_unfill(after, settings_before);
	}
	free(settings_before);
	if (ret)
		remove_rest(pin_dir, &ignored);
	return ret;
}

int upgrade(const struct plan *plan, const struct instance *instance, const struct nat *before,
	    struct err *err)
{
	struct abi_counters *counters = NULL;
	struct sysctl_list sysctls;
	struct natxdp_gate gate;
	struct nat after;
	int ret;

	ret = check_one_hook(instance, err);
	if (!ret)
		ret = check_room(before, plan->settings->max_flows, err);
	if (!ret)
		ret = sysctl_needed(plan, &sysctls, err);
	if (!ret)
		ret = nat_load_beside(&after, before, instance->link[0].hook,
				      plan->settings->dispatcher, plan->settings->max_flows, err);
	if (ret)
		return ret;
	if (!nat_shares(&after, NAT_MAP_counters)) {
		counters = abi_counters_new(before, &after);
		ret = counters ? 0 : err_counters(-ENOMEM, err);
	}
	if (!ret)
		ret = begin(plan, instance, &after, &sysctls, counters, err);
	if (!ret && counters) {
		wait_for_programs();
		ret = abi_counters_carry(counters);
		if (ret)
			err_counters(ret, err);
	}
	if (!ret && !gate_read(plan->settings->pin_dir, &gate))
		ret = err_set(err, STATUS_KERNEL, ENOENT, "%s/" PINS_GATE " is gone",
			      plan->settings->pin_dir);
	if (!ret)
		ret = finish(plan, &gate, before->hook, err);
	abi_counters_free(counters);
	nat_close(&after);
	return ret;
}

/* As far as programs and interfaces go, a NAT says itself how it is planned. */
static void plan_of(struct plan *plan, struct settings *settings, const struct instance *instance,
		    const char *pin_dir)
{
	struct attached attached;

	settings_init(settings);
	snprintf(settings->pin_dir, sizeof(settings->pin_dir), "%s", pin_dir);
	settings->dispatcher = instance->link[0].dispatched;
	if (!attach_query(HOOK_XDP, instance->link[0].ifindex, &attached) && attached.generic)
		settings->xdp_mode = XDP_MODE_GENERIC;
	memset(plan, 0, sizeof(*plan));
	plan->settings = settings;
	plan->two_armed = instance->config.two_armed;
	plan->gwlb = instance->config.features & NATXDP_TUNNELS;
	for (unsigned int i = 0; i < instance->link_count; i++) {
		struct plan_dev *dev = &plan->dev[plan->dev_count];

		if (!instance->link[i].ifindex)
			continue;
		plan->dev_count++;
		dev->ifindex = instance->link[i].ifindex;
		memcpy(dev->name, instance->link[i].name, sizeof(dev->name));
	}
}

int upgrade_settle(const char *pin_dir, struct err *err)
{
	struct natxdp_gate gate;
	struct instance instance;
	struct settings *settings;
	struct plan *plan;
	bool has_gate;
	int ret;

	if (!pins_has_next(pin_dir))
		return 0;
	settings = malloc(sizeof(*settings));
	plan = malloc(sizeof(*plan));
	if (!settings || !plan) {
		ret = err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		goto free;
	}
	instance_look(&instance, pin_dir);
	plan_of(plan, settings, &instance, pin_dir);
	has_gate = gate_read(pin_dir, &gate);
	if (has_gate && gate.open)
		ret = finish(plan, &gate, instance.link[0].hook, err);
	else
		ret = take_back(plan, has_gate, instance.link[0].hook, err);
	if (!ret)
		log_note("%s: an upgrade that was interrupted is %s", pin_dir,
			 has_gate && gate.open ? "finished" : "taken back");
free:
	free(settings);
	free(plan);
	return ret;
}
