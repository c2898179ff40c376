/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "bring.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "dispatch.h"
#include "err.h"
#include "guard.h"
#include "instance.h"
#include "log.h"
#include "nat.h"
#include "netns.h"
#include "nexthops.h"
#include "nicfix.h"
#include "ours.h"
#include "pins.h"
#include "plan.h"
#include "lastload.h"
#include "settings.h"
#include "sysctl.h"
#include "tc.h"
#include "upgrade.h"
#include "watcher.h"

/* A kernel that was built without clsact or BPF at TC is no reason to have no NAT. */
static void put_guard(const struct plan *plan)
{
	struct err err;

	if (guard_attach_all(plan, &err))
		log_note("%s: packets would leave untranslated if somebody took the program off",
			 err.text);
}

/*
 * Forwarding comes just before translating, so that nothing leaves untranslated, and behind the
 * guard, so that nothing does when the program is taken off.
 */
static int go_live(struct nat *nat, const struct plan *plan, const struct sysctl_list *sysctls,
		   bool *refused, struct err *err)
{
	const char *pin_dir = plan->settings->pin_dir;
	int ret;

	ret = nat_pin_maps(nat, pin_dir, PINS_MAPS, err);
	if (!ret)
		ret = nat_arm(nat, err);
	if (!ret)
		ret = nat_pin_programs(nat, pin_dir, err);
	if (ret)
		return ret;
	ret = attach_all(nat, plan, err);
	*refused = ret != 0;
	if (!ret)
		put_guard(plan);
	if (!ret)
		ret = sysctl_apply(pin_dir, sysctls, err);
	if (!ret)
		ret = nat_set_active(nat, true, err);
	return ret;
}

static int check_drivers(enum hook hook, const struct plan *plan, struct err *err)
{
	/* generic XDP does not touch the driver */
	if (hook == HOOK_TC || plan->settings->xdp_mode == XDP_MODE_GENERIC)
		return 0;
	return nicfix_refuse(plan, err);
}

/* @refused: it is the interfaces that would not have it there. */
static int bring_up_at(enum hook hook, const struct plan *plan, bool *volatile_mount, bool *refused,
		       struct err *err)
{
	struct sysctl_list sysctls;
	struct err ignored;
	struct nat nat;
	int ret;

	*volatile_mount = false;
	ret = attach_check_free(hook, plan, err);
	if (!ret)
		ret = check_drivers(hook, plan, err);
	*refused = ret != 0;
	if (!ret)
		ret = sysctl_needed(plan, &sysctls, err);
	if (ret)
		return ret;
	ret = nat_load(&nat, hook, plan->settings, err);
	if (ret)
		return ret;
	ret = nat_fill(&nat, plan, NULL, err);
	if (ret)
		goto close;
	ret = pins_make(plan->settings->pin_dir, volatile_mount, err);
	if (!ret)
		ret = go_live(&nat, plan, &sysctls, refused, err);
	if (ret)
		bring_down(plan->settings->pin_dir, &ignored);
close:
	nat_close(&nat);
	return ret;
}

int bring_up(const struct plan *plan, bool *volatile_mount, char why[HOOK_WHY_MAX], struct err *err)
{
	const struct settings *settings = plan->settings;
	struct err refusal = { 0 };
	bool refused;
	int ret;

	*why = '\0';
	if (settings->hook == HOOK_CHOICE_TC)
		return bring_up_at(HOOK_TC, plan, volatile_mount, &refused, err);
	/* who asks for generic XDP, or for the dispatcher, asks for XDP */
	if (settings->hook == HOOK_CHOICE_XDP || settings->dispatcher ||
	    settings->xdp_mode == XDP_MODE_GENERIC)
		return bring_up_at(HOOK_XDP, plan, volatile_mount, &refused, err);
	ret = bring_up_at(HOOK_XDP, plan, volatile_mount, &refused, &refusal);
	if (!ret)
		return 0;
	if (!refused) {
		*err = refusal;
		return ret;
	}
	snprintf(why, HOOK_WHY_MAX, "%.*s", HOOK_WHY_MAX - 1, refusal.text);
	return bring_up_at(HOOK_TC, plan, volatile_mount, &refused, err);
}

/* Where a NAT that runs goes on: auto leaves it where it is. */
static enum hook hook_for(const struct plan *plan, const struct instance *instance)
{
	switch (plan->settings->hook) {
	case HOOK_CHOICE_XDP:
		return HOOK_XDP;
	case HOOK_CHOICE_TC:
		return HOOK_TC;
	}
	return instance->link_count ? instance->link[0].hook : HOOK_XDP;
}

static int check_same_interfaces(const struct plan *plan, const struct instance *instance,
				 struct err *err)
{
	const struct instance_link *link;
	struct attached attached;
	bool generic = plan->settings->xdp_mode == XDP_MODE_GENERIC;

	for (unsigned int i = 0; i < plan->dev_count; i++) {
		const struct plan_dev *dev = &plan->dev[i];

		link = instance_find(instance, dev->name);
		if (!link || instance->link_count != plan->dev_count)
			return err_set(err, STATUS_STATE, EEXIST,
				       "%s: a NAT is loaded already on other interfaces (%s%s): run "
				       "'natxdp unload' first, or give --pin-dir for a second one",
				       dev->name, instance->link[0].name,
				       instance->link_count > 1 ? ", ..." : "");
		if (link->ifindex != dev->ifindex ||
		    attach_query(link->hook, dev->ifindex, &attached) ||
		    attached.program != link->entry)
			return err_set(err, STATUS_STATE, EEXIST,
				       "%s: the NAT at %s is loaded in another network namespace: "
				       "go there, or give --pin-dir for a second one",
				       dev->name, plan->settings->pin_dir);
		if (link->dispatched != plan->settings->dispatcher)
			return err_set(err, STATUS_STATE, EEXIST,
				       "%s: dispatcher cannot change while loaded: run 'natxdp unload' "
				       "first",
				       dev->name);
		if (link->hook == HOOK_XDP && plan->settings->hook != HOOK_CHOICE_TC &&
		    attached.generic != generic)
			return err_set(err, STATUS_STATE, EEXIST,
				       "%s: xdp_mode cannot change while loaded: run 'natxdp unload' "
				       "first",
				       dev->name);
	}
	return 0;
}

static int check_same_arms(const struct plan *plan, const struct natxdp_config *config,
			   struct err *err)
{
	if (plan->gwlb != !!(config->features & NATXDP_TUNNELS))
		return err_set(err, STATUS_STATE, EEXIST,
			       "%s: mode cannot change while loaded: run 'natxdp unload' first, which "
			       "ends its flows",
			       plan->dev[NATXDP_DEV_OUTSIDE].name);
	if (plan->two_armed == (config->two_armed != 0) &&
	    plan->dev[NATXDP_DEV_OUTSIDE].ifindex == config->outside_ifindex)
		return 0;
	return err_set(err, STATUS_STATE, EEXIST,
		       "%s: inside and outside cannot change while loaded: run 'natxdp unload' first, "
		       "which ends its flows",
		       plan->dev[NATXDP_DEV_OUTSIDE].name);
}

/* Do the tables that there are do for @plan? Else upgrade.h makes others. */
static bool tables_fit(const struct plan *plan, const struct natxdp_config *config)
{
	return config->abi == NATXDP_ABI && config->max_flows == plan->settings->max_flows;
}

/* From here on there is something to undo. */
static int switch_over(struct nat *nat, const struct plan *plan, const struct instance *instance,
		       const struct sysctl_list *sysctls, struct err *err)
{
	const char *pin_dir = plan->settings->pin_dir;
	struct contents *before;
	int ret;

	ret = nat_fill(nat, plan, &before, err);
	if (ret)
		return ret;
	ret = sysctl_apply(pin_dir, sysctls, err);
	if (!ret)
		ret = attach_replace_all(nat, plan, instance, err);
	if (ret)
		nat_unfill(nat, before);
	free(before);
	if (!ret)
		ret = nat_arm(nat, err);
	if (!ret)
		ret = nat_pin_programs(nat, pin_dir, err);
	return ret;
}

/* The same tables go on, under new programs. */
static int replace_in_place(struct nat *nat, const struct plan *plan,
			    const struct instance *instance, struct err *err)
{
	struct sysctl_list sysctls;
	int ret;

	ret = sysctl_needed(plan, &sysctls, err);
	if (!ret)
		ret = nat_replace(nat, plan->settings->dispatcher, err);
	if (!ret)
		ret = switch_over(nat, plan, instance, &sysctls, err);
	return ret;
}

/* One that was killed as it moved the NAT to XDP has left its filters, which nothing needs. */
static void leave_tc(const char *pin_dir)
{
	struct ours ours;

	ours_look(&ours, pin_dir);
	tc_leave(TC_NAT, pin_dir, &ours);
}

int bring_over(const struct plan *plan, const struct instance *instance, struct err *err)
{
	struct nat nat;
	int ret;

	ret = nat_open_any(&nat, plan->settings->pin_dir, err);
	if (ret)
		return ret;
	nat.hook = hook_for(plan, instance);
	ret = check_same_interfaces(plan, instance, err);
	if (!ret)
		ret = check_same_arms(plan, &nat.config, err);
	if (!ret && !instance_is_at(instance, nat.hook))
		ret = attach_check_free_but(nat.hook, plan, instance, err);
	if (!ret && !instance_is_at(instance, nat.hook))
		ret = check_drivers(nat.hook, plan, err);
	if (!ret)
		ret = tables_fit(plan, &nat.config) ? replace_in_place(&nat, plan, instance, err) :
						      upgrade(plan, instance, &nat, err);
	if (!ret && nat.hook == HOOK_XDP)
		leave_tc(plan->settings->pin_dir);
	if (!ret)
		put_guard(plan);
	nat_close(&nat);
	return ret;
}

static int revive(struct nat *nat, const struct plan *plan, const struct instance *instance,
		  const struct sysctl_list *sysctls, struct err *err)
{
	const char *pin_dir = plan->settings->pin_dir;
	struct changes changes = { .all = true };
	int ret;

	/* it stays active if it was: what is still attached must not let packets pass */
	ret = nat_fill(nat, plan, NULL, err);
	if (ret)
		return ret;
	/* what was learned may be about interfaces that are gone */
	ret = nexthops_mend(nat, &changes);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret, "map next_hops: cannot write: %s",
			       strerror(-ret));
	ret = attach_back_all(nat, plan, instance, err);
	if (!ret)
		ret = nat_arm(nat, err);
	if (!ret)
		ret = nat_pin_programs(nat, pin_dir, err);
	if (!ret)
		put_guard(plan);
	if (!ret)
		ret = sysctl_apply(pin_dir, sysctls, err);
	if (!ret)
		ret = nat_set_active(nat, true, err);
	return ret;
}

int bring_back(const struct plan *plan, const struct instance *instance, struct err *err)
{
	struct sysctl_list sysctls;
	struct err ignored;
	struct nat nat;
	int ret;

	if (nat_open(&nat, plan->settings->pin_dir, &ignored))
		return -ESTALE;
	nat.hook = hook_for(plan, instance);
	nat.config.outside_ifindex = plan->dev[NATXDP_DEV_OUTSIDE].ifindex;
	if (check_same_arms(plan, &nat.config, &ignored) || !tables_fit(plan, &nat.config))
		ret = -ESTALE;
	else
		ret = 0;
	if (!ret && nat_replace(&nat, plan->settings->dispatcher, &ignored))
		ret = -ESTALE;
	if (!ret)
		ret = attach_check_free_but(nat.hook, plan, instance, err);
	if (!ret)
		ret = sysctl_needed(plan, &sysctls, err);
	if (!ret)
		ret = revive(&nat, plan, instance, &sysctls, err);
	nat_close(&nat);
	return ret;
}

/* At once, whoever else still has it open. */
static void detach(const char *path, void *data)
{
	int fd = bpf_obj_get(path);

	(void)data;
	if (fd < 0)
		return;
	if (!pins_is_program(fd))
		bpf_link_detach(fd);
	close(fd);
}

/* On every interface, because one that was killed may have attached and not pinned. */
static void leave_all(const char *pin_dir)
{
	struct if_nameindex *list, *entry;
	struct ours ours;

	ours_look(&ours, pin_dir);
	list = if_nameindex();
	for (entry = list; entry && entry->if_index; entry++)
		dispatch_remove(entry->if_index, &ours, 0);
	if_freenameindex(list);
	tc_leave(TC_NAT, pin_dir, &ours);
	guard_leave(pin_dir);
}

static int take_down(const char *pin_dir, struct err *err)
{
	int ret;

	/* forwarding ends first, so that nothing is forwarded untranslated meanwhile */
	sysctl_restore(pin_dir);
	nat_deactivate_pinned(pin_dir, PINS_MAPS);
	nat_deactivate_pinned(pin_dir, PINS_NEXT);
	watcher_stop(pin_dir);
	watcher_forget(pin_dir);
	pins_each(pin_dir, "links", detach, NULL);
	leave_all(pin_dir);
	ret = nicfix_restore(pin_dir);
	if (ret)
		return err_set(err, STATUS_SYSTEM, ret,
			       "the settings of the NICs cannot be read: %s", strerror(-ret));
	ret = pins_remove(pin_dir);
	if (ret)
		return err_set(err, STATUS_SYSTEM, ret, "%s: cannot be removed: %s", pin_dir,
			       strerror(-ret));
	lastload_forget(pin_dir);
	tc_forget(pin_dir);
	return 0;
}

int bring_down(const char *pin_dir, struct err *err)
{
	int home, ret = netns_enter(pin_dir, &home);

	if (ret && ret != -ENOENT)
		return err_set(err, STATUS_SYSTEM, ret,
			       "%s: the network namespace where it was loaded cannot be entered: %s",
			       pin_dir, strerror(-ret));
	if (ret)
		log_note("%s: the network namespace where it was loaded is gone, and its settings "
			 "with it",
			 pin_dir);
	ret = take_down(pin_dir, err);
	netns_return(home);
	return ret;
}
