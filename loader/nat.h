/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A NAT in the kernel: its maps and programs. It is made anew (nat_load), or
 * found by its pins (nat_open), or found and given new programs
 * (nat_open, then nat_replace). It translates once it is filled, armed,
 * attached (attach.h) and active, in this order.
 *
 * Functions return 0 or -errno and then have written @err.
 */
#ifndef NATXDP_NAT_H
#define NATXDP_NAT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <natxdp/config.h>

#include "hook.h"

struct contents;
struct err;
struct flows_iter_bpf;
struct bpf_object;
struct plan;
struct pool;
struct settings;

enum nat_map {
	NAT_MAP_flow_table,
	NAT_MAP_flow_tags,
	NAT_MAP_flow_locks,
	NAT_MAP_flow_due,
	NAT_MAP_sweep_state,
	NAT_MAP_config,
	NAT_MAP_ext_pool,
	NAT_MAP_own_addrs,
	NAT_MAP_inside_nets,
	NAT_MAP_no_nat_nets,
	NAT_MAP_host_ports,
	NAT_MAP_next_hops,
	NAT_MAP_next_hop_index,
	NAT_MAP_egress_devs,
	NAT_MAP_port_hints,
	NAT_MAP_port_maps,
	NAT_MAP_hosts,
	NAT_MAP_blocked,
	NAT_MAP_frags,
	NAT_MAP_held_frags,
	NAT_MAP_counters,
	NAT_MAP_records,
	NAT_MAP_agent,
	/* of a NAT whose inside is behind load balancers, and of no other: see nat_has() */
	NAT_MAP_tunnels,
	NAT_MAP_tunnel_counters,
	NAT_MAP_tunnel_conf,
	NAT_MAPS,
};

enum nat_program {
	NAT_PROGRAM_SINGLE,
	NAT_PROGRAM_INSIDE,
	NAT_PROGRAM_OUTSIDE,
	NAT_PROGRAM_ARM,
	NAT_PROGRAM_INSERT,
	NAT_PROGRAM_BRING,
	NAT_PROGRAM_CARRY,
	NAT_PROGRAMS,
};

struct nat {
	enum hook hook;		     /* whose programs nat_load() and nat_replace() take */
	int map[NAT_MAPS];	     /* owned; -1 where there is none */
	struct natxdp_config config; /* as last read or written */
	const struct nat *before;    /* whose flows it takes over; NULL in most */
	struct bpf_object *object;   /* NULL where only the maps are open */
	struct flows_iter_bpf *iterator;
};

/* As bpf/maps.bpf.h and the pins have them. */
extern const char *const nat_map_names[NAT_MAPS];
extern const char *const nat_program_names[NAT_PROGRAMS];

/* Is this one of its maps? */
bool nat_has(const struct nat *nat, enum nat_map map);

void nat_init(struct nat *nat);
void nat_close(struct nat *nat); /* what is pinned or attached goes on */

/* New maps, empty, and programs; inactive. */
int nat_load(struct nat *nat, enum hook hook, const struct settings *settings, struct err *err);

/*
 * As nat_load(), to take over what @before has, which goes on: tables of
 * flows of its own size, and all other maps shared, as far as their layout is
 * the same. @before must outlive it. @hook: where @before is. @dispatched: as in
 * nat_replace(), and it is not active yet.
 */
int nat_load_beside(struct nat *nat, const struct nat *before, enum hook hook, bool dispatched,
		    uint32_t max_flows, struct err *err);

/* The maps below @pin_dir. STATUS_NOT_LOADED if there are none. */
int nat_open(struct nat *nat, const char *pin_dir, struct err *err);

/*
 * The same of any version that can be read (abi.h): its config is turned into
 * that of this version, and maps that it does not have are -1.
 */
int nat_open_any(struct nat *nat, const char *pin_dir, struct err *err);

/* New programs over the maps of an open NAT. @dispatched: those of a dispatcher come later. */
int nat_replace(struct nat *nat, bool dispatched, struct err *err);

/*
 * The objects once more, over the maps of a loaded or replaced NAT, with the
 * program @name alone, and not loaded yet. NULL with @err written on failure.
 */
struct bpf_object *nat_open_again(const struct nat *nat, const char *name, struct err *err);

/* -1 unless loaded or replaced */
int nat_program(const struct nat *nat, enum nat_program program);

/* (Re)starts the timer that expires flows, with the code of this program. */
int nat_arm(const struct nat *nat, struct err *err);

int nat_set_active(struct nat *nat, bool active, struct err *err);

/* That of any version whose maps are pinned below PIN_DIR/@subdir, if there is one. */
void nat_deactivate_pinned(const char *pin_dir, const char *subdir);

/* Is this map the same one as that of nat->before? */
bool nat_shares(const struct nat *nat, enum nat_map map);

/* @subdir: PINS_MAPS or PINS_NEXT */
int nat_pin_maps(const struct nat *nat, const char *pin_dir, const char *subdir, struct err *err);

/* The iterator and the inserter. Each replaces an older one in one step. */
int nat_pin_programs(const struct nat *nat, const char *pin_dir, struct err *err);

/*
 * Puts all of @plan into the maps (fill.c). Over a NAT that works, new values
 * come before old ones go, and flows stay. A failure leaves what was there;
 * after a success that is *@before, which the caller frees; @before may be NULL.
 */
int nat_fill(struct nat *nat, const struct plan *plan, struct contents **before, struct err *err);

/* Puts *@before back, as far as the kernel lets it. */
void nat_unfill(struct nat *nat, const struct contents *before);

/* What @plan makes of a NAT whose contents are @now; changes nothing. */
int nat_plan(const struct nat *nat, const struct plan *plan, const struct contents *now,
	     struct contents *wanted, struct err *err);

/* These return 0 or -errno, and write no @err. */
int nat_read(const struct nat *nat, struct contents *contents);
int nat_write(struct nat *nat, const struct contents *from, const struct contents *to);

/* Returns 0 or -errno, and writes no @err. */
int nat_read_pool(const struct nat *nat, struct pool *pool);

#endif
