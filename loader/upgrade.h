/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A NAT that runs gets tables of another size, or those of another version,
 * and no flow is lost, no packet waits and no established one meets a table
 * that does not know it:
 *
 *	1. new tables, empty, and programs that look for what they do not find
 *	   there in the tables before; pinned in next/
 *	2. the gate on every interface, closed: it hands packets to the old programs;
 *	   behind a dispatcher the new programs, not active yet, before the old ones
 *	3. the gate opens: one write, and the new programs have every packet; a
 *	   flow is brought over by the first packet that asks for it
 *	4. maps/ and next/ change places: one rename
 *	5. all other flows are brought over
 *	6. programs without a table before replace the gate, which goes with next/
 *
 * Killed before 3, the old NAT goes on, and the next command takes back what
 * was begun; killed after it, the new one goes on, and the next command
 * finishes. Hold the lock of rundir.h.
 *
 * Functions return 0 or -errno and then have written @err.
 */
#ifndef NATXDP_LOADER_UPGRADE_H
#define NATXDP_LOADER_UPGRADE_H

struct err;
struct instance;
struct nat;
struct plan;

/* From @before, open by nat_open_any(), to what @plan says, and to the hook that is in @before. */
int upgrade(const struct plan *plan, const struct instance *instance, const struct nat *before,
	    struct err *err);

/* Finishes or takes back what an upgrade that was killed has left. */
int upgrade_settle(const char *pin_dir, struct err *err);

#endif
